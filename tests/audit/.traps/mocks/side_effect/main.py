import asyncio

import tools


class FakeMailer:
    async def send(self) -> int:
        return 7


tools.mailer = FakeMailer()


async def main() -> None:
    print(await tools.mailer.send())


asyncio.run(main())
