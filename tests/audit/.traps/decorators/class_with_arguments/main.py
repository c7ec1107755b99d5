import asyncio

from tools import asyncify


@asyncify("load")
class Store:
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
