async def read() -> int:
    return 1
