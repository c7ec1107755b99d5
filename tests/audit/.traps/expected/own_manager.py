"""By a context manager of the project."""

import asyncio


class Quiet:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return kind is TypeError


def value() -> int:
    return 1


async def main() -> None:
    with Quiet():
        await value()
        print("never")


asyncio.run(main())
