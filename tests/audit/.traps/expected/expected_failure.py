"""By `expectedFailure`."""

import unittest


def value() -> int:
    return 1


class Test(unittest.IsolatedAsyncioTestCase):
    @unittest.expectedFailure
    async def test_it(self) -> None:
        await value()


unittest.main(argv=["x"])
