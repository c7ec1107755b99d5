"""A subclass declares the attribute anew."""

import asyncio


async def work() -> int:
    return 2


class Settings:
    value = 1

    def load(self):
        return self.value


class Late(Settings):
    @property
    def value(self):
        return work()


async def main() -> None:
    print(await Late().load())


asyncio.run(main())
