from factory import Chooses


class AsyncStore:
    async def load(self) -> int:
        return 2


class Store(Chooses):
    other = AsyncStore

    def __init__(self, key: str) -> None:
        self.key = key

    def load(self) -> int:
        return 1
