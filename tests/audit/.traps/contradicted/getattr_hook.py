"""`__getattr__` gives what is not declared."""

import asyncio


class Base:
    count: int

    def __getattr__(self, name):
        return asyncio.sleep(0, 5)

    def wait(self) -> int:
        return self.count


async def main() -> None:
    print(await Base().wait())


asyncio.run(main())
