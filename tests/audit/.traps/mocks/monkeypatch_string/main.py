import asyncio

import app


class MonkeyPatch:
    def setattr(self, path, value):
        module, _, name = path.rpartition(".")
        setattr(__import__(module), name, value)


async def later() -> int:
    return 2


def fake(monkeypatch) -> None:
    monkeypatch.setattr("app.load", later)


async def main() -> None:
    fake(MonkeyPatch())
    print(await app.use())


asyncio.run(main())
