import asyncio
from unittest.mock import AsyncMock, patch

from tools import Mailer


@patch("tools.Mailer.send", new_callable=AsyncMock, return_value=7)
async def main(send) -> None:
    print(await Mailer().send())


asyncio.run(main())
