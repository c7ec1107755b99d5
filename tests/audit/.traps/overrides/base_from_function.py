"""A function gives the base."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


def root():
    return Base


class Real(root()):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
