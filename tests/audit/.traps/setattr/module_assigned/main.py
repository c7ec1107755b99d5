import asyncio

import patches
import tools


async def main() -> None:
    print(await tools.get())


asyncio.run(main())
