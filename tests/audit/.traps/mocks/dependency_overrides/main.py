import asyncio

from app import App, store

app = App()


async def fake() -> int:
    return 2


app.overrides[store] = fake
print(asyncio.run(app.handle()))
