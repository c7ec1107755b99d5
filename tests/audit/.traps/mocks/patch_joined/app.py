from tools import load


async def use() -> int:
    return await load()
