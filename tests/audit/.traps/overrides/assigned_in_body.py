"""The override is an assignment in the body of the class."""

import asyncio


async def close_later(self) -> int:
    return 2


class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    close = close_later


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
