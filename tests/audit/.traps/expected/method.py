"""The method that awaits is called by its name in a block."""

import asyncio


class Desk:
    def value(self) -> int:
        return 1

    async def use(self) -> int:
        return await self.value()

    async def both(self) -> str:
        try:
            await self.use()
        except Exception:
            return "failed"
        return "done"


print(asyncio.run(Desk().both()))
