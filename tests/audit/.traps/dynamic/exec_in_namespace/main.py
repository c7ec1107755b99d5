import asyncio

import plugin
import tools

plugin.install(vars(tools))


async def main() -> None:
    print(await tools.load())


asyncio.run(main())
