"""A dictionary of numbers is filled with coroutines from outside."""

import asyncio
from typing import Any


class Jobs:
    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def get(self, key: str) -> int:
        return self.held[key]


async def work() -> int:
    return 6


def fill(jobs: Any) -> None:
    jobs.held.update({"a": work()})


async def main() -> None:
    jobs = Jobs()
    fill(jobs)
    print(await jobs.get("a"))


asyncio.run(main())
