import asyncio
from unittest.mock import AsyncMock, patch

import app


async def main() -> None:
    with patch("app.send", new=AsyncMock(return_value=7)):
        print(await app.use())


asyncio.run(main())
