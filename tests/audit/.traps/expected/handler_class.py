"""The exception's class is chosen by a function."""

import asyncio


def kinds():
    return (TypeError,)


def value() -> int:
    return 1


async def main() -> None:
    try:
        print(await value())
    except kinds():
        print("synchronous")


asyncio.run(main())
