"""By `patch.object`."""

import asyncio
from unittest.mock import AsyncMock, patch


class Mailer:
    def send(self) -> int:
        return 1


async def main() -> None:
    with patch.object(Mailer, "send", AsyncMock(return_value=7)):
        print(await Mailer().send())


asyncio.run(main())
