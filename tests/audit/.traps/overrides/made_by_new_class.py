"""The subclass is made by `types.new_class`."""

import asyncio
import types


class Base:
    def close(self) -> int:
        return 1


async def close_later(self):
    return 2


def fill(space):
    space["close"] = close_later


Real = types.new_class("Real", (Base,), {}, fill)


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
