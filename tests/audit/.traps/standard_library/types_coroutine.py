"""A generator that `types.coroutine` makes awaitable."""

import asyncio
import types


@types.coroutine
def load():
    yield
    return 2


async def main() -> None:
    print(await load())


asyncio.run(main())
