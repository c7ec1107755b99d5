"""`exec` defines the function anew."""

import asyncio

CODE = "async def load():\n    return 2\n"


def load() -> int:
    return 1


exec(compile(CODE, "load", "exec"))


async def main() -> None:
    print(await load())


asyncio.run(main())
