import asyncio
import sys

import tools


async def later() -> int:
    return 2


name = "".join(["g", "et"])
setattr(sys.modules["tools"], name, later)


async def main() -> None:
    print(await tools.get())


asyncio.run(main())
