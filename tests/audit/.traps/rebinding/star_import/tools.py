async def get() -> int:
    return 2
