import asyncio

from helpers import raises


def value() -> int:
    return 1


async def main() -> None:
    with raises(TypeError):
        await value()
        print("never")


asyncio.run(main())
