async def load_later() -> int:
    return 2


def upgrade(one):
    one.load = load_later
