"""`assertRaisesRegex` in a test of the caller."""

import asyncio
import unittest


def value() -> int:
    return 1


async def use() -> int:
    return await value()


class Test(unittest.TestCase):
    def test(self) -> None:
        self.assertRaisesRegex(TypeError, "await", asyncio.run, use())


unittest.main()
