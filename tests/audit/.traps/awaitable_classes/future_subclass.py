"""A class of the project that derives from a future, declared by its other base."""

import asyncio


class Answer:
    pass


class Later(Answer, asyncio.Future):
    pass


def load() -> Answer:
    found = Later()
    found.set_result(2)
    return found


async def main() -> None:
    print(await load())


asyncio.run(main())
