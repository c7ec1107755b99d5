import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from declared import Store
else:
    from real import Store


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
