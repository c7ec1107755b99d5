"""An inner function binds the function of the outer one anew."""

import asyncio


async def later() -> int:
    return 2


async def main() -> None:
    def get() -> int:
        return 1

    def switch():
        nonlocal get
        get = later

    switch()
    print(await get())


asyncio.run(main())
