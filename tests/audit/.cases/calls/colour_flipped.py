"""Four callers still await a factory that lost its `async`."""


class Manager:
    def __init__(self, user):
        self.user = user


def get_manager(user):
    return Manager(user)


async def main_create():
    manager = await get_manager("u1")  # expect: await-sync  # fix: mechanical
    assert manager.user == "u1"


async def main_health():
    return {"healthy": (await get_manager("health")).user == "health"}  # expect: await-sync  # fix: mechanical


async def main_config():
    assert (await get_manager("config")).user == "config"  # expect: await-sync  # fix: mechanical


async def main_statistics():
    users = [await get_manager("a"), "b"]  # expect: await-sync  # fix: mechanical
    assert users[0].user == "a"
