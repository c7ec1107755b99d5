"""A class of our own that has `__enter__` and no `__aenter__`."""


class Transaction:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


class Database:
    def transaction(self):
        return Transaction()


async def main():
    async with Database().transaction():  # expect: await-sync  # fix: report-only
        pass
