"""A method that yields is an asynchronous generator."""


class Source:
    async def events(self):
        yield "started"


async def main():
    events = await Source().events()  # expect: await-sync  # fix: report-only
    print(events)
