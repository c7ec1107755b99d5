"""An inner function has the name of a global one that it calls by `global`."""

import asyncio


async def fetch(key):
    return key


def make():
    def inner(key):
        global fetch
        return fetch(key)

    return inner


class Box:
    get = staticmethod(make())

    def fetch(self, key):
        return self.get(key)


async def main() -> None:
    print(await Box().fetch("a"))


asyncio.run(main())
