import asyncio

import tools


async def main() -> None:
    tools.switch()
    print(await tools.get())


asyncio.run(main())
