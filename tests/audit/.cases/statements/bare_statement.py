"""The result is not used at all."""

log = []


def record(text):
    log.append(text)
    return len(log)


async def main_bare():
    await record("a")  # expect: await-sync  # fix: mechanical
    assert log


async def main_parenthesised():
    (await record("b"))  # expect: await-sync  # fix: mechanical
    assert log
