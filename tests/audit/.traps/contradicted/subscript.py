"""A table of functions is not typed."""

import asyncio


async def work():
    return 1


table = {"work": work}
handlers: dict = table


def call(name: str) -> int:
    return handlers[name]()


async def main() -> None:
    print(await call("work"))


asyncio.run(main())
