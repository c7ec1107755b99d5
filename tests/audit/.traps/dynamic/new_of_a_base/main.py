import asyncio

from stores import Store


async def main() -> None:
    print(await Store("late").load())


asyncio.run(main())
