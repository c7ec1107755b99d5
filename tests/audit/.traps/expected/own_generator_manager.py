"""By a `@contextmanager` of the project."""

import asyncio
from contextlib import contextmanager


@contextmanager
def quiet():
    try:
        yield
    except Exception as error:
        print(type(error).__name__)


def value() -> int:
    return 1


async def main() -> None:
    with quiet():
        await value()
        print("never")


asyncio.run(main())
