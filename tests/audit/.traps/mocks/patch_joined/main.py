import asyncio
from unittest import mock

import app

NAME = "app." + "load"


async def later() -> int:
    return 2


async def main() -> None:
    with mock.patch(NAME, later):
        print(await app.use())


asyncio.run(main())
