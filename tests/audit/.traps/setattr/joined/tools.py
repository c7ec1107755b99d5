async def later():
    return 2


def change(one, verb):
    setattr(one, f"lo{verb}", later)
