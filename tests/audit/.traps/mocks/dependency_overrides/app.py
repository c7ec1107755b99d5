from typing import Any


def store() -> int:
    return 1


class App:
    def __init__(self) -> None:
        self.overrides: dict[Any, Any] = {}

    async def handle(self) -> int:
        call = self.overrides.get(store, store)
        return await call()
