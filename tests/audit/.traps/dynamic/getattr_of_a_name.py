"""What `getattr` gives is returned under a declared type."""

import asyncio


class Store:
    async def _load(self) -> int:
        return 2

    def load(self) -> int:
        return getattr(self, "_load")()


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
