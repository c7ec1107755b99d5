"""A class, not called."""


class Client:
    pass


async def main():
    await Client  # expect: await-sync  # fix: report-only
