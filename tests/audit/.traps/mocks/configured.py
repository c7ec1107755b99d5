"""By `configure_mock` on a mock of the class."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock, MagicMock


class Mailer:
    def send(self) -> int:
        return 1


def fake() -> Mailer:
    made: Any = MagicMock(spec=Mailer)
    made.configure_mock(send=AsyncMock(return_value=7))
    return made


async def main() -> None:
    print(await fake().send())


asyncio.run(main())
