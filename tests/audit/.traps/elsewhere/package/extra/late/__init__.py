import core


class Late(core.Root):
    async def close(self) -> int:
        return 2
