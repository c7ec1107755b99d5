import asyncio

from plain import load

try:
    from nowhere import load
except ImportError:
    from later import *


async def main() -> None:
    print(await load())


asyncio.run(main())
