"""The loop's handler is told of it."""

import asyncio


def value() -> int:
    return 1


async def one() -> None:
    await value()


async def main() -> None:
    def told(loop, context):
        print(type(context["exception"]).__name__)

    asyncio.get_running_loop().set_exception_handler(told)
    task = asyncio.ensure_future(one())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    import gc

    gc.collect()


asyncio.run(main())
