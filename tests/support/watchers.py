"""Clients that keep every event that they are given, and what they were told is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import pairwise

from accounting import Item
from limits import HANG_S

from netra_ws.client import Client
from netra_ws.errors import ConnectionEnded, EventsLost
from netra_ws.events import Event, decode


class Watcher:
    """A tab that only reads: `items` are for `accounting.balance`, `events` what they decode to.

    `start` is where it began; the client is connected.
    """

    def __init__(self, client: Client) -> None:
        assert client.position is not None
        self.client = client
        self.start = client.position
        self.items: list[Item] = []
        self.events: list[Event] = []
        self._more = asyncio.Condition()

    @property
    def messages(self) -> list[str]:
        """The events as received."""
        return [item for item in self.items if isinstance(item, str)]

    @property
    def told(self) -> list[EventsLost]:
        """What it was told is missing."""
        return [item for item in self.items if isinstance(item, EventsLost)]

    async def watch(self) -> None:
        """Read until cancelled, or until something ends the client for good, which is raised."""
        while True:
            try:
                async with aclosing(self.client.messages()) as messages:
                    async for message, event in messages:
                        async with self._more:
                            self.items.append(message)
                            self.events.append(decode(message))
                            self._more.notify_all()
                        assert event == self.events[-1]
            except EventsLost as lost:
                self.items.append(lost)
            except ConnectionEnded as ended:
                self.items.append(ended)
                raise

    async def until(self, condition: Callable[[Sequence[Event]], bool], since: int = 0) -> None:
        """Return when the events from number `since` on satisfy `condition`."""
        async with self._more, asyncio.timeout(HANG_S):
            await self._more.wait_for(lambda: condition(self.events[since:]))

    async def count(self, kind: type, times: int, since: int = 0) -> None:
        """Return when so many events of that type have come."""
        await self.until(
            lambda events: sum(isinstance(event, kind) for event in events) >= times, since
        )

    def check_order(self) -> None:
        """Assert that in each epoch every event came once and in order, no number left out.

        Of an epoch that follows another one, the first event is there as well.
        """
        for earlier, later in pairwise(self.events):
            same = later.epoch == earlier.epoch
            assert later.seq == (earlier.seq + 1 if same else 1)
        changes = sum(later.epoch != earlier.epoch for earlier, later in pairwise(self.events))
        assert changes == len({event.epoch for event in self.events} or {""}) - 1


@asynccontextmanager
async def watching(*clients: Client) -> AsyncIterator[list[Watcher]]:
    """Connect these clients and let them read."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        watchers = [Watcher(await stack.enter_async_context(client)) for client in clients]
        reading = [tasks.create_task(watcher.watch()) for watcher in watchers]
        yield watchers
        for task in reading:
            task.cancel()
