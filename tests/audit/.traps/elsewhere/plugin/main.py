import asyncio
import importlib
import sys

from base import Base

sys.path.insert(0, "plugins")


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(importlib.import_module("real").Real())))
