LATE = bool(1)


def load() -> int:
    return 1


async def later() -> int:
    return 2
