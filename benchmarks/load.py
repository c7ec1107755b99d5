"""Load in a closed loop: who has been answered asks again; and what it has cost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.frames import EVENTS, Broken
from benchmarks.servers import Server
from benchmarks.wire import Wire

DRAIN_TIMEOUT_S = 20.0
"""Seconds for the answers that are on their way when the time is up."""


@dataclass
class Spent:
    """What has been done so far: `units` (events, handshakes), and the seconds it took."""

    units: int = 0
    server_s: float = 0.0
    client_s: float = 0.0
    wall_s: float = 0.0

    @contextmanager
    def metered(self, server: Server) -> Iterator[None]:
        """Add what the two processes use inside."""
        server_s, client_s, wall_s = server.cpu.seconds(), time.process_time(), time.perf_counter()
        yield
        self.wall_s += time.perf_counter() - wall_s
        self.client_s += time.process_time() - client_s
        self.server_s += server.cpu.seconds() - server_s

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.units + other.units,
            self.server_s + other.server_s,
            self.client_s + other.client_s,
            self.wall_s + other.wall_s,
        )

    @property
    def us(self) -> float:
        """Processor microseconds of the server per unit."""
        return self.server_s / self.units * 1e6

    def values(self) -> dict[str, float]:
        """Return what a unit has cost the server, and the shares of the two cores."""
        return {
            "us": self.us,
            "units": self.units,
            "server_share": self.server_s / self.wall_s,
            "client_share": self.client_s / self.wall_s,
        }


class ClosedLoop:
    """Keeps a number of runs in flight over connections, and counts those that have ended."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self.runs = 0
        self._wires = wires
        self._in_flight = 0
        self._going_on = False
        self._done: asyncio.Future[None]
        for wire in wires:
            wire.on_run, wire.on_broken = self._ended, self._broken

    def _ended(self, wire: Wire) -> None:
        self.runs += 1
        if self._going_on:
            wire.next.ask()
        else:
            self._in_flight -= 1
            if not self._in_flight and not self._done.done():
                self._done.set_result(None)

    def _broken(self, error: Broken) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    async def go(self, seconds: float, *, lanes: int, depth: int = 1) -> int:
        """Keep `depth` runs in flight on each of `lanes` lanes, then wait for the last answers.

        A lane begins at one of the first `lanes` connections and goes on to its `next`. Returns
        the number of runs. Raises `Broken`, and `TimeoutError` after `DRAIN_TIMEOUT_S`.
        """
        before = self.runs
        self._done = asyncio.get_running_loop().create_future()
        self._going_on = seconds > 0  # else one run each, and no more
        self._in_flight = lanes * depth
        for wire in self._wires[:lanes]:
            for _ in range(depth):
                wire.ask()
        await asyncio.wait({self._done}, timeout=seconds)
        self._going_on = False
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            await self._done
        return self.runs - before

    async def measure(
        self, spent: Spent, server: Server, seconds: float, *, lanes: int, depth: int = 1
    ) -> None:
        """`go`, and add to `spent` from the first request to the last answer."""
        with spent.metered(server):
            runs = await self.go(seconds, lanes=lanes, depth=depth)
        spent.units += runs * EVENTS


async def in_turns(
    names: Sequence[str], turns: int, rng: random.Random, act: Callable[[str], Awaitable[None]]
) -> None:
    """Call `act` with each name, `turns` times over, each time in another order.

    So what disturbs the machine for a second disturbs all of them.
    """
    for _ in range(turns):
        for name in rng.sample(names, len(names)):
            await act(name)


def totals(spent: Mapping[str, Spent]) -> dict[str, dict[str, float]]:
    """Return the values of each."""
    return {name: one.values() for name, one in spent.items()}
