"""A class derived from the library's `suppress`."""

import asyncio
import contextlib


class Quiet(contextlib.suppress):
    def __init__(self) -> None:
        super().__init__(TypeError)


def value() -> int:
    return 1


async def main() -> None:
    with Quiet():
        print(await value())
    print("done")


asyncio.run(main())
