"""The base has a second name."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


Root = Base


class Real(Root):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
