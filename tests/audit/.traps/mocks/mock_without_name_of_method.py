"""A plain mock whose results are all futures."""

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
    mailer = MagicMock()
    for name in ("send",):
        getattr(mailer, name).return_value = done
    print(await use(mailer))


asyncio.run(main())
