"""One method awaits another of the same instance."""


class Service:
    def validate(self, text):
        return bool(text)

    async def handle(self, text):
        return await self.validate(text)  # expect: await-sync  # fix: mechanical


async def main():
    assert await Service().handle("a")
