import asyncio

from base import Base


class Store(Base):
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
