"""A method of what a property returns."""


class Pool:
    def size(self):
        return 4


class Server:
    def __init__(self):
        self._pool = Pool()

    @property
    def pool(self):
        return self._pool


async def main():
    assert await Server().pool.size() == 4  # expect: await-sync  # fix: mechanical
