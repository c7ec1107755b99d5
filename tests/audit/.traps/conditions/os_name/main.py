import asyncio
import os

if os.name == "nt":
    from plain import Store
else:
    from later import Store


async def main() -> None:
    print(await Store().load())


asyncio.run(main())
