import asyncio

try:
    from quick import read
except ImportError:
    from slow import read


async def main() -> None:
    print(await read())


asyncio.run(main())
