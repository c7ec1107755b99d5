import asyncio


def get() -> int:
    return 1


def switch():
    global get
    from tools import get


async def main() -> None:
    switch()
    print(await get())


asyncio.run(main())
