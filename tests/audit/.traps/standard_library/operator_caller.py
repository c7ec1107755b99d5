"""`setattr` under another name."""

import asyncio
import builtins

put = builtins.setattr


class Store:
    def load(self) -> int:
        return 1


async def later() -> int:
    return 2


async def main() -> None:
    store = Store()
    put(store, "lo" + "ad", later)
    print(await store.load())


asyncio.run(main())
