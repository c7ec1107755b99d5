import asyncio
from unittest.mock import AsyncMock, patch

import tools


async def main() -> None:
    with patch("tools.Mailer", AsyncMock):
        result = await tools.Mailer().send()
        print(type(result).__name__)


asyncio.run(main())
