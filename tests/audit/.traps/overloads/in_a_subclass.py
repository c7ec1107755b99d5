"""The base is plain and the subclass overloads it."""

import asyncio
from collections.abc import Awaitable
from typing import Any, overload


class Base:
    def get(self, key: str) -> int:
        return 1


class Derived(Base):
    @overload
    def get(self, key: str) -> int: ...
    @overload
    def get(self, key: int) -> Awaitable[int]: ...
    def get(self, key: Any) -> Any:
        return later()


async def later() -> int:
    return 2


async def read(one: Base) -> int:
    return await one.get("a")


print(asyncio.run(read(Derived())))
