"""The caller is tested."""

import asyncio
import unittest


def value() -> int:
    return 1


async def use() -> int:
    return await value()


class Test(unittest.TestCase):
    def test_it(self) -> None:
        with self.assertRaises(TypeError):
            asyncio.run(use())

    def test_regex(self) -> None:
        self.assertRaisesRegex(TypeError, "await", asyncio.run, use())


unittest.main(argv=["x"], exit=True)
