def get() -> int:
    return 1


async def later() -> int:
    return 2


def switch():
    global get
    get = later
