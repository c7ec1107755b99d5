async def load() -> int:
    return 2
