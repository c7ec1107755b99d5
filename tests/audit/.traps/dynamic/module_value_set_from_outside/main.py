import asyncio

import tools


async def work() -> int:
    return 2


async def main() -> None:
    tools.VALUE = work()
    print(await tools.load())


asyncio.run(main())
