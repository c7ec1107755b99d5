import asyncio
import os

from one import get

if os.environ.get("HOME") is not None:
    from two import get


async def main() -> None:
    print(await get())


asyncio.run(main())
