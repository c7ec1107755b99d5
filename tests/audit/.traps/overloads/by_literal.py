"""An overload by a literal flag gives a coroutine, and the flag is not a literal at the call."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Literal, overload


async def later() -> int:
    return 1


@overload
def get(now: Literal[True]) -> int: ...
@overload
def get(now: Literal[False]) -> Awaitable[int]: ...
@overload
def get(now: Any) -> int: ...
def get(now: Any) -> Any:
    return 1 if now is True else later()


async def main() -> None:
    flag: Any = False
    print(await get(flag))


asyncio.run(main())
