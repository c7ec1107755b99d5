"""The base runs the method of the subclass with a handler."""

import asyncio


class Worker:
    async def run(self) -> None:
        try:
            await self.work()
            print("worked")
        except Exception as error:
            print(type(error).__name__)

    async def work(self) -> None:
        raise NotImplementedError


def value() -> int:
    return 1


class Mine(Worker):
    async def work(self) -> None:
        await value()


asyncio.run(Mine().run())
