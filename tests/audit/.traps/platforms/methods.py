"""The method is defined once for each."""

import asyncio
import sys


class Reader:
    if sys.platform != "nowhere":

        async def read(self) -> int:
            return 1

    else:

        def read(self) -> int:
            return 1


class Other:
    if sys.platform == "nowhere":

        async def read(self) -> int:
            return 1

    else:

        def read(self) -> int:
            return 1


async def main() -> None:
    print(await Reader().read())
    if sys.platform == "nowhere":
        print(await Other().read())


asyncio.run(main())
