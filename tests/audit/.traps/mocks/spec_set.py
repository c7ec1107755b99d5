"""A mock with the class as `spec`, whose method is set by `attach_mock`."""

import asyncio
from unittest.mock import AsyncMock, Mock


class Mailer:
    def send(self) -> int:
        return 1


async def use(mailer: Mailer) -> int:
    return await mailer.send()


def fake() -> Mailer:
    mailer = Mock(spec=Mailer)
    mailer.attach_mock(AsyncMock(return_value=7), "send")
    return mailer


print(asyncio.run(use(fake())))
