"""An attribute is a property that gives a coroutine."""

import asyncio
from typing import Any


class Job:
    def wait(self) -> int:
        return self.result

    @property
    def result(self) -> Any:
        return asyncio.sleep(0, 5)


async def main() -> None:
    print(await Job().wait())


asyncio.run(main())
