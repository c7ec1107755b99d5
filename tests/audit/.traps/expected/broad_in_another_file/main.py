import asyncio

from app import use


async def main() -> None:
    try:
        print(await use())
    except Exception as error:
        print(type(error).__name__)


asyncio.run(main())
