"""A collaborator that is given with its type."""


class Store:
    def save(self, item: int) -> int:
        return item


class Handler:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self) -> int:
        return await self._store.save(5)  # expect: await-sync  # fix: mechanical


async def main() -> None:
    assert await Handler(Store()).handle() == 5
