"""What a type checker sees is not what runs."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:

    def load() -> int: ...

else:

    async def load():
        return 2


async def main() -> None:
    print(await load())


asyncio.run(main())
