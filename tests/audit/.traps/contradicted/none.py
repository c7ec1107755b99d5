"""Declared to give nothing."""

import asyncio


class Hooks:
    def __init__(self, hook):
        self.hook = hook

    def fire(self) -> None:
        return self.hook()


async def hook():
    print("fired")


async def main() -> None:
    await Hooks(hook).fire()


asyncio.run(main())
