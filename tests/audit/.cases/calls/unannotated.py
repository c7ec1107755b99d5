"""Neither the function nor its caller has an annotation."""


def count(text):
    return len(text.split())


async def main():
    words = await count("a b c")  # expect: await-sync  # fix: mechanical
    assert words == 3
