import asyncio

import api


async def main() -> None:
    print(await api.load())


asyncio.run(main())
