class Base:
    def close(self) -> int:
        return 1


async def shut(one: Base) -> int:
    return await one.close()
