"""An object that is no context manager at all."""


class Client:
    def close(self):
        pass


async def main():
    async with Client() as client:  # expect: await-sync  # fix: report-only
        client.close()
