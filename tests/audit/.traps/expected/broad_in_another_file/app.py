def value() -> int:
    return 1


async def use() -> int:
    return await value()
