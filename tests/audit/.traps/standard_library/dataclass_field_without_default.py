"""The same without a default: the callable comes with the call."""

import asyncio
from dataclasses import dataclass
from typing import Any


async def later() -> int:
    return 2


class Store:
    def load(self) -> int:
        return 1


@dataclass
class Real(Store):
    load: Any


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real(later)))
