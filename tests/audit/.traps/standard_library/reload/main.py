import asyncio
import importlib
import os

import tools


async def main() -> None:
    os.environ["LATE"] = "1"
    importlib.reload(tools)
    print(await tools.load())


asyncio.run(main())
