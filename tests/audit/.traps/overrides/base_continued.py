"""The list of bases goes on behind a backslash, and has a string with a bracket."""

import asyncio


def tagged(tag):
    return Base


class Base:
    def close(self) -> int:
        return 1


class \
    Real \
        (tagged(")"),
    # the base (of all
    ):
    async def close(self) -> int:
        return 2


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
