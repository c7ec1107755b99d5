import asyncio
import sys

if sys.version_info < (3, 0):
    from new import read
else:
    from old import read
if sys.version_info >= (3, 0):
    from new import read as read_now
else:
    from old import read as read_now


async def main() -> None:
    print(await read())
    if sys.version_info < (3, 0):
        print(await read_now())


asyncio.run(main())
