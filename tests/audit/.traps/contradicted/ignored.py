"""The type checker was told to be silent."""

import asyncio


async def work() -> int:
    return 1


class Client:
    def ping(self) -> int:
        return self._send()

    def _send(self):
        return _SENDERS[0]()


_SENDERS = [work]


async def main() -> None:
    print(await Client().ping())


asyncio.run(main())
