"""An attribute is declared a number, and holds a task."""

import asyncio
from typing import Any


class Job:
    result: int

    def __init__(self) -> None:
        made: Any = asyncio.ensure_future(self.work())
        self.result = made

    async def work(self) -> int:
        return 4

    def wait(self) -> int:
        return self.result


async def main() -> None:
    print(await Job().wait())


asyncio.run(main())
