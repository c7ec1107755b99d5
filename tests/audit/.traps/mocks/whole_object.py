"""The whole object is an `AsyncMock`."""

import asyncio
from unittest.mock import AsyncMock


class Mailer:
    def send(self) -> int:
        return 1


async def use(mailer: Mailer) -> int:
    return await mailer.send()


print(asyncio.run(use(AsyncMock(send=AsyncMock(return_value=7)))))
