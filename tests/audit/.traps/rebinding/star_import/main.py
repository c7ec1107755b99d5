import asyncio


def get() -> int:
    return 1


from tools import *


async def main() -> None:
    print(await get())


asyncio.run(main())
