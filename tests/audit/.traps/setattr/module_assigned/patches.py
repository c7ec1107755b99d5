import tools as t


async def later() -> int:
    return 2


t.get = later
