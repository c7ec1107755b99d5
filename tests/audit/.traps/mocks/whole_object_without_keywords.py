"""The whole object is an `AsyncMock`, and its method is never named."""

import asyncio
from unittest.mock import AsyncMock


class Mailer:
    def send(self) -> int:
        return 1


class Desk:
    def __init__(self, mailer: Mailer) -> None:
        self.mailer = mailer

    async def use(self) -> str:
        result = await self.mailer.send()
        return type(result).__name__


print(asyncio.run(Desk(AsyncMock()).use()))
