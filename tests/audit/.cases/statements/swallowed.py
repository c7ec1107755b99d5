"""A handler sees the error and passes it on."""

errors = []


def load():
    return {"healthy": True}


async def health():
    try:
        return await load()  # expect: await-sync  # fix: mechanical
    except TypeError as error:
        errors.append(error)
        raise


async def main():
    assert (await health())["healthy"]
