"""The metaclass's `__call__` gives what can be awaited."""

import asyncio


class Meta(type):
    def __call__(cls, *args):
        return asyncio.sleep(0, 7)


class Job(metaclass=Meta):
    pass


async def main() -> None:
    print(await Job())


asyncio.run(main())
