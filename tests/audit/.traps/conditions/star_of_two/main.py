import asyncio

from first import *
from second import *


async def main() -> None:
    print(await load())


asyncio.run(main())
