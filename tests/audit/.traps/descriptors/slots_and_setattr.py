"""`__setattr__` of the class puts something else in."""

import asyncio


class Store:
    load_one = None

    def load(self) -> int:
        return 1

    def __setattr__(self, name, value):
        async def call():
            return value

        object.__setattr__(self, "load" if name == "value" else name, call)


async def main() -> None:
    store = Store()
    store.value = 2
    print(await store.load())


asyncio.run(main())
