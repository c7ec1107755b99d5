import asyncio
import sys

import quick
import slow

if sys.platform == "nowhere":
    backend = quick
else:
    backend = slow


async def main() -> None:
    print(await backend.read())


asyncio.run(main())
