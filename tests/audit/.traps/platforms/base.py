"""The base is chosen."""

import asyncio
import sys


class Quick:
    def read(self) -> int:
        return 1


class Slow:
    async def read(self) -> int:
        return 2


if sys.platform == "nowhere":
    Base = Quick
else:
    Base = Slow


class Reader(Base):
    pass


async def main() -> None:
    print(await Reader().read())


asyncio.run(main())
