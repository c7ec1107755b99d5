"""The subclass is made by `type`, its methods are given by keywords."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


async def close_later(self):
    return 2


Real = type("Real", (Base,), dict(close=close_later))


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
