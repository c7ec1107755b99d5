"""Clients that are gone from one moment to the next, without FIN or RST.

Where this process may change routes (as root on Linux), every packet from and to them is dropped:
nothing that the server sends is acknowledged. Elsewhere they are behind a relay that keeps all
bytes to itself: the server's system takes them for received, the server itself hears nothing.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import leash
from wire import Wire

DROPPED = "all their packets dropped"
SILENT = "behind a relay that went silent"


@dataclass(frozen=True)
class Coast:
    """Where to connect, with which options of `plain_client.dial`; `sink` makes them vanish."""

    url: str
    options: dict[str, Any]
    sink: Callable[[], None]
    how: str


def _route(verb: str, address: str) -> bool:
    """Add or delete a route that drops all packets to and from one loopback address."""
    ip = shutil.which("ip")
    if ip is None:
        return False
    command = [ip, "route", verb, "blackhole", f"{address}/32", "table", "local"]
    return leash.run(command).returncode == 0


@contextmanager
def _address() -> Iterator[str | None]:
    """Give a loopback address that nobody else has, or `None` if its route cannot be changed."""
    address = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
    may = _route("add", address) and _route("del", address)
    try:
        yield address if may else None
    finally:
        if may:
            _route("del", address)


@asynccontextmanager
async def coast(backend: str) -> AsyncIterator[Coast]:
    """Give a place from which clients of `backend` can vanish all at once."""
    with _address() as address:
        if address is not None:

            def drop() -> None:
                assert _route("add", address)

            yield Coast(backend, {"local_addr": (address, 0)}, drop, DROPPED)
            return
        async with Wire(backend) as wire:

            def mute() -> None:
                wire.mute = True

            yield Coast(wire.url, {}, mute, SILENT)
