async def get():
    return 2
