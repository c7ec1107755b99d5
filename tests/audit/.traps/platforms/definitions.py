"""The function is defined once for each."""

import asyncio
import sys

PYPY = sys.implementation.name != "pypy"

if PYPY:

    async def read() -> int:
        return 1

else:

    def read() -> int:
        return 1


async def main() -> None:
    print(await read())


asyncio.run(main())
