"""`__set_name__` puts another function in the class."""

import asyncio


class Asynchronous:
    def __init__(self, function):
        self.function = function

    def __set_name__(self, owner, name):
        async def call(one):
            return self.function(one)

        setattr(owner, name, call)


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    load = Asynchronous(Store.load)


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))
