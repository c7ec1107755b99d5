import asyncio

from texts import text


async def main() -> None:
    print(await text("a"))


asyncio.run(main())
