"""Three modules and two names lie between the definition and its caller."""

from .third import manager_of


async def main_factory():
    manager = await manager_of()  # expect: await-sync  # fix: mechanical
    assert manager.start() == "started"


async def main_method():
    assert await manager_of().start() == "started"  # expect: await-sync  # fix: mechanical
