"""Making an instance is not awaitable."""


class Session:
    def __init__(self, name: str) -> None:
        self.name = name


async def main() -> None:
    session = await Session("s")  # expect: await-sync  # fix: mechanical
    assert session.name == "s"
