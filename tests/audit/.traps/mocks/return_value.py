"""A mock's return value has the method."""

import asyncio
from unittest.mock import AsyncMock, patch


class Mailer:
    def send(self) -> int:
        return 1


def make() -> Mailer:
    return Mailer()


async def main() -> None:
    with patch(f"{__name__}.make") as made:
        made.return_value.send = AsyncMock(return_value=7)
        print(await make().send())


asyncio.run(main())
