"""Users who go on talking while something else breaks, and are owed every event."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from accounting import Balance, balance, whole_log
from limits import HANG_S
from polling import until
from scripted_server import mint
from watchers import Watcher, watching

from netra_ws.auth.login import LoginResponse, LoginUser
from netra_ws.client import Backoff, Client
from netra_ws.client.credentials import Authenticate

BACKOFF = Backoff(first_s=0.02, max_s=0.2, attempts=10_000)
ROOM = {"retained_events": 1_000_000, "retained_bytes": 1 << 30, "retained_bytes_total": 1 << 31}
"""Limits with which a log keeps all events of a test, so that a witness can read them."""

FREE = {"max_messages_per_s": 10_000}
"""A limit with which users may ask at once again."""


def identity(user: str) -> Authenticate:
    """Return what logs in as `user` by a token of its own making."""

    async def authenticate() -> LoginResponse:
        return LoginResponse(mint(user), "Bearer", 600, LoginUser(user, f"{user}@faults.example"))

    return authenticate


def client(url: str, user: str) -> Client:
    """Return a client of `user` that comes back soon."""
    return Client(url, identity(user), backoff=BACKOFF)


class Neighbour:
    """A user who asks for one run after the other, and a second tab that reads all of it."""

    def __init__(self, user: str, watcher: Watcher) -> None:
        self.user = user
        self.watcher = watcher
        self.took_ms: list[float] = []
        """Of each run, from the question to its last event."""
        self.balance = Balance(0, 0)
        """Of the tab that reads, after the end of the block."""
        self._over = False

    async def talk(self, asking: Client, script: str) -> None:
        while not self._over:
            began = time.perf_counter()
            await asking.chat(script, HANG_S)
            self.took_ms.append((time.perf_counter() - began) * 1000)

    async def once_more(self) -> None:
        """Return when the neighbour has been given one more run, begun after now at the latest."""
        enough = len(self.took_ms) + 2
        await until(lambda: len(self.took_ms) >= enough)

    def stop(self) -> None:
        """Ask for no further run."""
        self._over = True


async def settled(backend: str, user: str, watcher: Watcher) -> Balance:
    """Return the balance of a tab of a user who asks no more, once it has all of the log.

    Raises `AssertionError` if an event came twice, late, foreign or not at all.
    """
    epoch, start = watcher.start
    log = await whole_log(backend, user, epoch)
    await watcher.until(lambda events: len(events) >= len(log) - start)
    whole = balance(log, watcher.items, start)
    assert whole.exact, whole
    return whole


@asynccontextmanager
async def talking(
    backend: str, user: str = "ben", *, thoughts: int = 10, pause_s: float = 0.005
) -> AsyncIterator[Neighbour]:
    """Give a user who talks until the end of the block, and who then has every event."""
    script = json.dumps([["think", thoughts, pause_s]])
    async with watching(client(backend, user)) as (watcher,), client(backend, user) as asking:
        neighbour = Neighbour(user, watcher)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(neighbour.talk(asking, script))
            try:
                yield neighbour
            finally:
                neighbour.stop()
        neighbour.balance = await settled(backend, user, watcher)
