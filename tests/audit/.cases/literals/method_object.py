"""A method, not called."""


class Client:
    async def close(self):
        pass


async def main():
    await Client().close  # expect: await-sync  # fix: report-only
