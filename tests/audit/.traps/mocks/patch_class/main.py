import asyncio
from unittest.mock import AsyncMock, patch

import shop


async def main() -> None:
    with patch.object(shop, "Mailer") as made:
        made.return_value = AsyncMock()
        made.return_value.send.return_value = 7
        print(await shop.use())


asyncio.run(main())
