import asyncio
import sys

from tools import *


def show(text):
    return print(text)


async def main() -> None:
    sys.stdout.write(await show("a\n"))


asyncio.run(main())
