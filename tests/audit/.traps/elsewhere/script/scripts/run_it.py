import runpy


def start():
    space = runpy.run_path("base.py")

    class Late(space["Base"]):
        async def close(self) -> int:
            return 2

    return space["shut"](Late())
