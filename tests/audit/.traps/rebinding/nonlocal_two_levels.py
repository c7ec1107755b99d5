"""Two functions further in."""

import asyncio


async def later() -> int:
    return 2


async def main() -> None:
    def get() -> int:
        return 1

    def outer():
        def inner():
            nonlocal get
            get = later

        inner()

    outer()
    print(await get())


asyncio.run(main())
