import asyncio

from tools import change


class Base:
    def __init_subclass__(cls) -> None:
        change(cls)


class Store(Base):
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
