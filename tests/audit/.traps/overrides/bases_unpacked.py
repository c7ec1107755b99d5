"""The bases are unpacked."""

import asyncio


class Base:
    def close(self) -> int:
        return 1


BASES = (Base,)


class Real(*BASES):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
