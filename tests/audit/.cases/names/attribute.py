"""An attribute that holds a plain value."""


class Client:
    def __init__(self):
        self.ready = True

    async def check(self):
        return await self.ready  # expect: await-sync  # fix: report-only


async def main():
    assert await Client().check()
