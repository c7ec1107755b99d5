"""The override is an annotated attribute."""

import asyncio
from typing import Any


async def close_later() -> int:
    return 2


class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    close: Any = staticmethod(close_later)


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
