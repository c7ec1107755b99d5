"""The subclass overrides a method, and both are synchronous."""


class Base:
    def value(self):
        return 1


class Child(Base):
    def value(self):
        return super().value() + 1


async def main():
    assert await Child().value() == 2  # expect: await-sync  # fix: mechanical
