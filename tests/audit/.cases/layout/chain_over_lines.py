"""A chain of methods in parentheses, one on each line."""


class Query:
    def where(self):
        return self

    def count(self):
        return 2


async def main():
    value = (
        await Query()  # expect: await-sync  # fix: mechanical
        .where()
        .count()
    )
    assert value == 2
