import asyncio
from unittest import mock as m

from shop import Mailer, use


def fake():
    return m.AsyncMock(**{"send.return_value": 7})


print(asyncio.run(use(fake())))
