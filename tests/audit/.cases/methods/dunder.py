"""A special method that is called by name."""


class Box:
    def __len__(self):
        return 2


async def main():
    assert await Box().__len__() == 2  # expect: await-sync  # fix: mechanical
