"""The declared type has the name of a builtin and is a class of the project."""

import asyncio


class str:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return "x"


def make() -> str:
    return str()


async def main() -> None:
    print(await make())


asyncio.run(main())
