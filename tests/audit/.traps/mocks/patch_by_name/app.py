from tools import send


async def use() -> int:
    return await send()
