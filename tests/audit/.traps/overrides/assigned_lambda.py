"""The override is a lambda."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    close = lambda self: asyncio.sleep(0, 2)


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
