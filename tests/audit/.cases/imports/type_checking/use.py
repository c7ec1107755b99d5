"""The class is imported for its annotation alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import Client


async def ping(client: Client) -> str:
    return await client.ping()  # expect: await-sync  # fix: mechanical


async def main() -> None:
    from .client import Client as Made

    assert await ping(Made()) == "pong"
