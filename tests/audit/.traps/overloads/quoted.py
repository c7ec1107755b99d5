"""What is declared stands in quotes, and is more than the type checker sees."""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Later = int
else:
    Later = "a coroutine"


async def later() -> int:
    return 1


def get() -> "Later":
    made: Any = later()
    return made


async def main() -> None:
    print(await get())


asyncio.run(main())
