"""Attributes come from keywords."""

import asyncio


class Settings:
    def __init__(self, **values) -> None:
        self.value = 1
        self.__dict__.update(values)

    def load(self):
        return self.value


async def work() -> int:
    return 2


async def main() -> None:
    print(await Settings(value=work()).load())


asyncio.run(main())
