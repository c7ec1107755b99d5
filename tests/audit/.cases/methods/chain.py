"""Each method returns the instance."""


class Query:
    def __init__(self):
        self.parts = []

    def where(self, part):
        self.parts.append(part)
        return self

    def all(self):
        return self.parts


async def main():
    assert await Query().where("a").where("b").all() == ["a", "b"]  # expect: await-sync  # fix: mechanical
