"""An object with a synchronous `__call__`."""


class Scorer:
    def __call__(self, text: str) -> int:
        return len(text)


scorer = Scorer()


async def main():
    assert await scorer("abc") == 3  # expect: await-sync  # fix: mechanical
