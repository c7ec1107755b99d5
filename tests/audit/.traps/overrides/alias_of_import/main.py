import asyncio

from base import Base
from real import Real


async def shut(one: Base) -> int:
    return await one.close()


print(asyncio.run(shut(Real())))
