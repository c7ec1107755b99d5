"""An own manager says in `__aexit__` what failed, by a variable."""

import asyncio


class Watch:
    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        handled = kind is not None
        print(kind.__name__ if kind else "nothing")
        return handled


def value() -> int:
    return 1


async def main() -> None:
    async with Watch():
        print(await value())


asyncio.run(main())
