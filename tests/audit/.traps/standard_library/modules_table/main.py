import asyncio
import sys

import fake

sys.modules["tools"] = fake

import tools


async def main() -> None:
    print(await tools.load())


asyncio.run(main())
