"""A property is a value when it is read."""


class User:
    @property
    def name(self) -> str:
        return "ada"


async def main():
    assert await User().name == "ada"  # expect: await-sync  # fix: report-only
