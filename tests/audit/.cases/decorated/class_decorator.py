"""A decorator that returns the class it is given."""


def registered(cls: type) -> type:
    return cls


class Plain:
    def run(self) -> int:
        return 1


@registered
class Marked(Plain):
    pass


async def main() -> None:
    assert await Plain().run() == 1  # expect: await-sync  # fix: mechanical
