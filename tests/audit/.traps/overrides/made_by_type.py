"""The subclass is made by `type`."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


async def close_later(self):
    return 2


Real = type("Real", (Base,), {"close": close_later})


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
