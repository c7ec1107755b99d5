"""A field of a dataclass that holds a coroutine function has the method's name."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


async def later() -> int:
    return 2


class Store:
    def load(self) -> int:
        return 1


@dataclass
class Real(Store):
    load: Callable[[], Any] = later


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))
