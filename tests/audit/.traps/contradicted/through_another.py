"""The function that is called is plain by its declaration; what it calls is overridden."""

import asyncio


class Commands:
    def count(self) -> int:
        return self.execute("COUNT")

    def execute(self, name: str) -> int:
        return 1


class Remote(Commands):
    async def execute(self, name: str) -> int:
        return 2


async def main(one: Commands) -> None:
    print(await one.count())


asyncio.run(main(Remote()))
