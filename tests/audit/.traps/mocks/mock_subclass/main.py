import asyncio

from doubles import Double
from shop import Mailer


async def use(mailer: Mailer) -> int:
    return await mailer.send()


print(asyncio.run(use(Double())))
