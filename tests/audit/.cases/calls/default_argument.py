"""A call whose argument is itself a call."""


def normalise(text: str) -> str:
    return text.strip().lower()


def greet(name: str) -> str:
    return "hello " + name


async def main() -> None:
    assert await greet(normalise(" ADA ")) == "hello ada"  # expect: await-sync  # fix: mechanical
