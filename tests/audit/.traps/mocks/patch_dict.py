"""`patch.dict` on a module's namespace."""

import asyncio
from unittest import mock


def load() -> int:
    return 1


async def main() -> None:
    with mock.patch.dict(globals(), load=mock.AsyncMock(return_value=2)):
        print(await load())


asyncio.run(main())
