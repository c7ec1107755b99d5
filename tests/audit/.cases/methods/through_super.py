"""A subclass awaits the synchronous method that it extends."""


class Base:
    def close(self):
        return ["base"]


class Child(Base):
    async def shut(self):
        return await super().close() + ["child"]  # expect: await-sync  # fix: mechanical


async def main():
    assert await Child().shut() == ["base", "child"]
