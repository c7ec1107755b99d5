"""A static method, on the class and on an instance."""


class Tools:
    @staticmethod
    def clean(text: str) -> str:
        return text.strip()


async def main_class() -> None:
    assert await Tools.clean(" a ") == "a"  # expect: await-sync  # fix: mechanical


async def main_instance() -> None:
    assert await Tools().clean(" a ") == "a"  # expect: await-sync  # fix: mechanical
