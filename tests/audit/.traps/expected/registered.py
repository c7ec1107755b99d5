"""The caller is registered by a decorator, and run with a handler."""

import asyncio

JOBS = []


def job(function):
    JOBS.append(function)
    return function


def value() -> int:
    return 1


@job
async def use() -> int:
    return await value()


async def main() -> None:
    for one in JOBS:
        try:
            print(await one())
        except Exception as error:
            print(type(error).__name__)


asyncio.run(main())
