"""A plain mock gives a future."""

import asyncio
from unittest.mock import MagicMock


class Mailer:
    def send(self) -> int:
        return 1


async def use(mailer: Mailer) -> int:
    return await mailer.send()


async def main() -> None:
    done = asyncio.get_running_loop().create_future()
    done.set_result(7)
    mailer = MagicMock(spec=Mailer)
    mailer.send.return_value = done
    print(await use(mailer))


asyncio.run(main())
