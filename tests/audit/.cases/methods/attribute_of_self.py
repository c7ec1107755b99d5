"""A collaborator that is kept in an attribute."""


class Store:
    def save(self, item):
        return item


class Handler:
    def __init__(self):
        self.store = Store()

    async def handle(self):
        return await self.store.save(5)  # expect: await-sync  # fix: mechanical


async def main():
    assert await Handler().handle() == 5
