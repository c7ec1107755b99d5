"""A pattern binds the function's name."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


match {"f": later}:
    case {"f": load}:
        pass


async def main() -> None:
    print(await load())


asyncio.run(main())
