import asyncio

import tools


async def main() -> None:
    print(await tools.load())


asyncio.run(main())
