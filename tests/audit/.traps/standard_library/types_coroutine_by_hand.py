"""The same, applied by hand under the same name, on a declared generator."""

import asyncio
import types
from collections.abc import Generator


def load() -> Generator[None, None, int]:
    yield
    return 2


later = types.coroutine(load)
globals().update({"load": later})


async def main() -> None:
    print(await load())


asyncio.run(main())
