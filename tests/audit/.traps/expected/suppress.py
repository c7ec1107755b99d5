"""By `suppress`, under another name."""

import asyncio
from contextlib import suppress as without


def value() -> int:
    return 1


async def main() -> None:
    with without(TypeError, ValueError):
        await value()
        print("never")


asyncio.run(main())
