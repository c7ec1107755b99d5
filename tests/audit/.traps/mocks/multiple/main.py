import asyncio
from unittest.mock import AsyncMock, patch

import tools


async def main() -> None:
    with patch.multiple(tools, send=AsyncMock(return_value=7)):
        print(await tools.send())


asyncio.run(main())
