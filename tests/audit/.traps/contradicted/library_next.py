"""What the library gives back is what an iterator gives."""

import asyncio
from collections.abc import Iterator
from typing import Any


async def work() -> int:
    return 6


def works() -> Iterator[int]:
    made: Any = work()
    yield made


async def main() -> None:
    print(await next(works()), await max([1, 2], default=0) if 0 else 1)


asyncio.run(main())
