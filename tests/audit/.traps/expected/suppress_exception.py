"""By `suppress(Exception)` on a stack."""

import asyncio
import contextlib


def value() -> int:
    return 1


async def main() -> None:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.suppress(Exception))
        await value()
        print("never")


asyncio.run(main())
