"""A generic class of the new syntax; not parsed before Python 3.12, where it is an old one."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T", bound="dict[str, list[int]]")


class Base(Generic[T]):
    def close(self) -> int:
        return 1


class Middle(Base["dict[str, list[int]]"]):
    pass


class Real(Middle):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
