"""One of two definitions, by a flag of the module."""

import asyncio
import os

FAST = os.environ.get("FAST")

if FAST:

    def load() -> int:
        return 1

else:

    async def load() -> int:
        return 2


async def main() -> None:
    print(await load())


asyncio.run(main())
