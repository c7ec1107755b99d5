import asyncio
import sys

if sys.platform == "nowhere":
    from posix import Reader
else:
    from windows import Reader


async def main() -> None:
    print(await Reader().read())


asyncio.run(main())
