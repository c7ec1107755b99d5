"""The method's body names a function of the module, and not the method of the same name."""

import asyncio


def get() -> int:
    return 1


class Store:
    async def get(self) -> int:
        return 2

    def load(self):
        return self.get()


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
