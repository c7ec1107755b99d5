"""The base comes out of a table."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


table = {"base": Base}


class Real(table["base"]):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
