"""The override is put on the instance among several."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    def __init__(self):
        self.first, self.close = 1, self._close

    async def _close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
