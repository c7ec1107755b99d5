"""The override is a `def` too, and hands on a coroutine."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    def close(self):
        return self._close()

    async def _close(self):
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
