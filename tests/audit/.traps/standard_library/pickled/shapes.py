class Store:
    def load(self) -> int:
        return 1


class AsyncStore:
    async def load(self) -> int:
        return 2
