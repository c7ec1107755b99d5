"""The same with annotations."""

import asyncio


class Store:
    async def save(self, value: int) -> bool:
        return value > 0

    @classmethod
    async def open(cls) -> "Store":
        return cls()

    @staticmethod
    async def ping() -> None:
        return None


class Cache(Store):
    pass


async def send(text: str) -> int:
    return len(text)


async def main_function() -> None:
    send("a")  # expect: unawaited


async def main_method() -> None:
    store = Store()
    store.save(1)  # expect: unawaited


async def main_inherited() -> None:
    Cache().save(1)  # expect: unawaited


async def main_class_method() -> None:
    Store.open()  # expect: unawaited


async def main_static_method() -> None:
    Store.ping()  # expect: unawaited


async def main_sleep() -> None:
    asyncio.sleep(0)  # expect: unawaited


async def main_parameter(store: Store = Store()) -> None:
    store.ping()  # expect: unawaited


async def main_right() -> None:
    store = await Store.open()
    assert await store.save(1)
    assert await send("a") == 1
