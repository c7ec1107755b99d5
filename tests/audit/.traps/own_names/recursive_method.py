"""A method calls the global of its own name through a class method."""

import asyncio


async def fetch(key):
    return key


class Client:
    @classmethod
    def fetch(cls, key):
        return fetch(key)

    @staticmethod
    def other(key):
        return fetch(key)


async def main() -> None:
    print(await Client.fetch("a"), await Client.other("b"))


asyncio.run(main())
