import asyncio
from unittest.mock import patch

import shop


@patch("shop.Mailer.send")
async def use(send) -> None:
    send.side_effect = later
    print(await shop.Mailer().send())


def later():
    return asyncio.sleep(0, 7)


asyncio.run(use())
