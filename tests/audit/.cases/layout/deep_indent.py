"""Deep inside other blocks."""


def load():
    return 1


async def main():
    for _ in range(1):
        while True:
            try:
                with memoryview(b""):
                    if True:
                        assert await load() == 1  # expect: await-sync  # fix: mechanical
                        break
            finally:
                pass
