"""The method is defined in a base class."""


class Base:
    def close(self) -> str:
        return "closed"


class Connection(Base):
    pass


async def main():
    assert await Connection().close() == "closed"  # expect: await-sync  # fix: mechanical
