"""The base class stands in another module."""

from .base import Base


class Worker(Base):
    async def announce(self):
        return "I am " + await self.name()  # expect: await-sync  # fix: mechanical


async def main():
    assert await Worker().announce() == "I am Worker"
