class Reader:
    async def read(self) -> int:
        return 1
