"""An abstract method that says nothing of what it gives: an override gives something awaitable."""

from abc import ABC, abstractmethod


class Listener:
    def __await__(self):
        async def start():
            return self

        return start().__await__()


class Backend(ABC):
    @abstractmethod
    def get_listener(self, address):
        """Return a listener for an address."""


class Memory(Backend):
    def get_listener(self, address):
        return Listener()


def get_backend() -> Backend:
    return Memory()


def listen(address):
    backend = get_backend()
    return backend.get_listener(address)


async def main():
    assert isinstance(await listen("memory"), Listener)


async def main_without_the_detour():
    assert isinstance(await get_backend().get_listener("memory"), Listener)
