async def later() -> int:
    return 2


def switch(module):
    for name in ("load",):
        module.__dict__[name] = later
