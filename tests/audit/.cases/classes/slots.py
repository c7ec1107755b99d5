"""A class with slots."""


class Frame:
    __slots__ = ("data",)

    def __init__(self, data: str) -> None:
        self.data = data

    def encode(self):
        return self.data.encode()


async def main():
    assert await Frame("a").encode() == b"a"  # expect: await-sync  # fix: mechanical
