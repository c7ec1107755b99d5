"""The caller comes from a table."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


JOBS = {"use": use}


async def main() -> None:
    for name, job in JOBS.items():
        try:
            print(name, await job())
        except Exception as error:
            print(name, type(error).__name__)


asyncio.run(main())
