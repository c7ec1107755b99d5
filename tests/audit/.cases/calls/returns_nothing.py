"""A function without a return statement."""

seen = []


def note(text):
    seen.append(text)


async def main():
    await note("started")  # expect: await-sync  # fix: mechanical
    assert seen[-1] == "started"
