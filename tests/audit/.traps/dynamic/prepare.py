"""A metaclass whose `__prepare__` gives a namespace that wraps."""

import asyncio


class Space(dict):
    def __setitem__(self, name, value):
        if callable(value) and not name.startswith("_"):

            async def call(*args, function=value):
                return function(*args)

            value = call
        super().__setitem__(name, value)


class Meta(type):
    @classmethod
    def __prepare__(cls, name, bases, **kwargs):
        return Space()

    def __new__(cls, name, bases, space):
        return super().__new__(cls, name, bases, dict(space))


class Store(metaclass=Meta):
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
