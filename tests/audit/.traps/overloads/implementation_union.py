"""The overloads are plain, the implementation says what it may give."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Union, overload


@overload
def get(key: str) -> str: ...
@overload
def get(key: int) -> int: ...
def get(key: Any) -> Union[str, int, Coroutine[Any, Any, int]]:
    async def later() -> int:
        return 1

    return later()


async def main() -> None:
    print(await get(1))


asyncio.run(main())
