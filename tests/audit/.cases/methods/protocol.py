"""A protocol says that the method is synchronous."""

from typing import Protocol


class Sender(Protocol):
    def send(self, text: str) -> int: ...


class Printer:
    def send(self, text: str) -> int:
        return len(text)


async def deliver(sender: Sender) -> int:
    return await sender.send("abc")  # expect: await-sync  # fix: mechanical


async def main() -> None:
    assert await deliver(Printer()) == 3
