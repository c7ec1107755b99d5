"""What an exit stack returns from `enter_context` is what it was given."""

import asyncio
import contextlib
from contextlib import ExitStack


@contextlib.contextmanager
def held(one):
    yield one


async def work() -> int:
    return 2


def load(stack) -> int:
    return stack.enter_context(held(work()))


async def main() -> None:
    with ExitStack() as stack:
        print(await load(stack))


asyncio.run(main())
