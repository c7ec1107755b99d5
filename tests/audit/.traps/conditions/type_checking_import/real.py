class Store:
    async def load(self) -> int:
        return 2
