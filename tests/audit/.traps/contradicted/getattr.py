"""A method is looked up by its name."""

import asyncio


class Client:
    def call(self, name: str) -> str:
        return getattr(self, "_" + name)()

    async def _hello(self):
        return "hello"


async def main() -> None:
    print(await Client().call("hello"))


asyncio.run(main())
