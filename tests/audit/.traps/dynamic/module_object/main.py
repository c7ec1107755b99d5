import asyncio
import sys

from tools import switch

switch(sys.modules[__name__])


def load() -> int:
    return 1


switch(sys.modules[__name__])


async def main() -> None:
    print(await load())


asyncio.run(main())
