"""An own function named as a builtin, in an enclosing function."""

import asyncio


def make():
    async def len(items):
        return 3

    def count(items):
        return len(items)

    return count


count = make()


async def main() -> None:
    print(await count([1]))


asyncio.run(main())
