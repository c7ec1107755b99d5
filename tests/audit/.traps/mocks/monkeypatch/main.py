import asyncio

import tools
from patches import MonkeyPatch


async def later() -> int:
    return 7


monkeypatch = MonkeyPatch()
monkeypatch.setattr(tools, "send", later)


async def main() -> None:
    print(await tools.send())


asyncio.run(main())
