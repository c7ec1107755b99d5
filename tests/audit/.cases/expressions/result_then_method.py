"""The result of one await is called, and that is awaited again."""


class Client:
    async def fetch(self):
        return "data"


def client():
    return Client()


async def main():
    assert await (await client()).fetch() == "data"  # expect: await-sync  # fix: mechanical
