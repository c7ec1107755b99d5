"""What is measured: each scenario takes a set of servers that have just been started.

All of its servers run at the same time and take turns, so that what disturbs the machine for a
second disturbs all of them. Who has no turn is idle.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from benchmarks.load import ClosedLoop, Spent, in_turns, totals
from benchmarks.machine import private_bytes
from benchmarks.paced import Caller, arrivals, pace, quantile
from benchmarks.servers import BEFORE, DEFAULT, OURS, PROGRAMS, Program, Server
from benchmarks.wire import OPEN_TIMEOUT_S, Wire, close_wires, drop_wires, open_wires

Values = dict[str, dict[str, float]]
"""By the name of a server: what was measured of it, by the name of the measure."""

Issue = Callable[[str], str]
"""Returns a fresh token for a user."""

WARM_UP_S = 0.3


EACH_ONCE = tuple((program.name, program) for program in PROGRAMS)


@dataclass
class Stage:
    """What a scenario has to work with; `close` it at the end."""

    servers: Mapping[str, Server]
    issue: Issue
    rng: random.Random
    _wires: list[Wire] = field(default_factory=list)

    async def open(self, name: str, tokens: Iterable[str], *, deflate: bool = False) -> list[Wire]:
        """Return a connection to a server for each token; raises as `open_wires` does."""
        wires = await open_wires(self.servers[name], tokens, deflate=deflate)
        self._wires += wires
        return wires

    async def end(self, name: str, wires: Sequence[Wire]) -> None:
        """End a server and all of its connections: faster than to close each."""
        for wire in wires:
            wire.on_broken = lambda _: None  # an end is what is asked for
        self.servers[name].stop()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await asyncio.gather(*(wire.closed for wire in wires))

    async def close(self) -> None:
        """Leave no connection open."""
        await drop_wires(self._wires)

    def tokens(self, users: int) -> list[str]:
        """Return a token for each of a number of users."""
        return [self.issue(f"u{number}") for number in range(users)]


class Scenario(NamedTuple):
    """A scenario: `measure` is called once a round. `programs` has a program once per process."""

    name: str
    title: str
    measure: Callable[[Stage], Coroutine[Any, Any, Values]]
    programs: tuple[tuple[str, Program], ...] = EACH_ONCE
    pause_s: float = 0.0
    files: int = 1000

    def beside(self, tree: str) -> Scenario:
        """Return this scenario with the `netra_ws` of `tree` as one more server beside ours."""
        before = BEFORE._replace(tree=tree)
        more = [
            (name.replace(OURS.name, BEFORE.name), before)
            for name, program in self.programs
            if program is OURS
        ]
        return self._replace(programs=(*self.programs, *more))


async def _loops(stage: Stage, connections: int, depth: int) -> dict[str, ClosedLoop]:
    """Return a loop for each server, warmed up."""
    loops = {}
    for name in stage.servers:
        loops[name] = ClosedLoop(await stage.open(name, stage.tokens(connections)))
        await loops[name].go(0, lanes=connections)  # one run each, which is checked
        await loops[name].go(WARM_UP_S, lanes=connections, depth=depth)
    return loops


def throughput(
    connections: int, depth: int, *, turns: int, seconds: float
) -> Callable[[Stage], Coroutine[Any, Any, Values]]:
    """Return what measures an event's cost with `depth` runs in flight on each connection."""

    async def measure(stage: Stage) -> Values:
        loops = await _loops(stage, connections, depth)
        spent = {name: Spent() for name in loops}

        async def act(name: str) -> None:
            server = stage.servers[name]
            await loops[name].measure(spent[name], server, seconds, lanes=connections, depth=depth)

        await in_turns(list(loops), turns, stage.rng, act)
        return totals(spent)

    return measure


PACED_CONNECTIONS = 50
PACED_REQUESTS_PER_S = 1000.0
PACED_TURNS, PACED_S = 24, 0.4


async def paced(stage: Stage) -> Values:
    """Measure latencies at 5,000 events a second: quantiles of each turn, and their medians.

    Whatever stops the machine for 20 ms would be the p99 of all turns taken together.
    """
    callers: dict[str, list[Caller]] = {}
    turns: dict[str, list[list[float]]] = {name: [] for name in stage.servers}
    seed = stage.rng.randrange(1 << 32)
    spent = {name: Spent() for name in stage.servers}
    try:
        for name, server in stage.servers.items():
            callers[name] = [Caller(server, token) for token in stage.tokens(PACED_CONNECTIONS)]
            pace(callers[name], arrivals(PACED_REQUESTS_PER_S, WARM_UP_S, seed))

        async def act(name: str) -> None:
            times = arrivals(PACED_REQUESTS_PER_S, PACED_S, seed + len(turns[name]))
            with spent[name].metered(stage.servers[name]):
                found = pace(callers[name], times)
            turns[name].append(sorted(found))
            spent[name].units += len(found)

        await in_turns(list(callers), PACED_TURNS, stage.rng, act)
    finally:
        for caller in (caller for some in callers.values() for caller in some):
            caller.close()
    return {
        name: {
            "p50_us": median(quantile(turn, 0.5) for turn in turns[name]) * 1e6,
            "p99_us": median(quantile(turn, 0.99) for turn in turns[name]) * 1e6,
            **spent[name].values(),
        }
        for name in callers
    }


HANDSHAKES = 100
"""A batch; there is one user for each."""

HANDSHAKE_TURNS = 8
SETTLE_S = 0.02
"""Seconds for what a server still does after its last answer: what follows a handshake belongs to
it, and what follows the end of the connections before does not."""


async def handshakes(stage: Stage) -> Values:
    """Measure an authenticated handshake: with the same token again, and with a new one."""
    known = stage.tokens(HANDSHAKES)
    spent = {kind: {name: Spent() for name in stage.servers} for kind in ("seen", "new")}

    async def batch(name: str, kind: str, spent: Spent) -> None:
        server = stage.servers[name]
        tokens = known if kind == "seen" else stage.tokens(HANDSHAKES)
        await asyncio.sleep(SETTLE_S)
        with spent.metered(server):
            wires = await stage.open(name, tokens)
            await asyncio.sleep(SETTLE_S)
        spent.units += HANDSHAKES
        await close_wires(wires)

    for name in stage.servers:
        for kind in spent:
            await batch(name, kind, Spent())  # warms up

    async def act(name: str) -> None:
        for kind in stage.rng.sample(("seen", "new"), 2):
            await batch(name, kind, spent[kind][name])

    await in_turns(list(stage.servers), HANDSHAKE_TURNS, stage.rng, act)
    return {
        name: {
            "seen_us": spent["seen"][name].us,
            "new_us": spent["new"][name].us,
            **(spent["seen"][name] + spent["new"][name]).values(),
        }
        for name in stage.servers
    }


IDLE_CONNECTIONS = 2000
SETTLED_S, SETTLE_AT_MOST_S = 0.4, 4.0
SETTLED_BYTES = 64 * 1024


async def _settled(server: Server) -> int:
    """Return the memory of a server once it rests, or else after `SETTLE_AT_MOST_S`.

    It rests if it has changed by no more than `SETTLED_BYTES` in `SETTLED_S`.
    """
    give_up = time.monotonic() + SETTLE_AT_MOST_S
    now = private_bytes(server.pid)
    while time.monotonic() < give_up:
        before = now
        await asyncio.sleep(SETTLED_S)
        now = private_bytes(server.pid)
        if abs(now - before) <= SETTLED_BYTES:
            break
    return now


def idle_memory(*, deflate: bool) -> Callable[[Stage], Coroutine[Any, Any, Values]]:
    """Return what measures the memory of a connection on which nothing has been said."""

    async def measure(stage: Stage) -> Values:
        found: Values = {}
        tokens = stage.tokens(IDLE_CONNECTIONS)
        for name, server in stage.servers.items():
            # What is loaded at the first handshakes belongs to the server.
            await close_wires(await stage.open(name, tokens[:50], deflate=deflate))
            before = await _settled(server)
            wires = await stage.open(name, tokens, deflate=deflate)
            after = await _settled(server)
            found[name] = {"bytes": (after - before) / IDLE_CONNECTIONS, "before_bytes": before}
            await stage.end(name, wires)
        return found

    return measure


FEW, MANY = 10, 10_000
GROWTH_TURNS, GROWTH_S = 8, 0.4
GROWN = "_grown"
"""What is added to the name of a server that has `MANY` users."""


async def growth(stage: Stage) -> Values:
    """Measure an event's cost with few users and with many, with as many runs in flight.

    One program after the other: the client holds no more than `MANY` connections at a time.
    """
    found: Values = {}
    for name in stage.servers:
        if not name.endswith(GROWN):
            found |= await _growth(stage, (name, name + GROWN))
    return found


async def _growth(stage: Stage, names: tuple[str, str]) -> Values:
    loops: dict[str, ClosedLoop] = {}
    opened: dict[str, list[Wire]] = {}
    for name, users in zip(names, (FEW, MANY), strict=True):
        wires = await stage.open(name, stage.tokens(users))
        for number, wire in enumerate(wires):
            wire.next = wires[(number + FEW) % users]
        loops[name] = loop = ClosedLoop(wires)
        opened[name] = wires
        while loop.runs < users:  # every connection is to be asked once, and checked
            await loop.go(WARM_UP_S, lanes=FEW)
    spent = {name: Spent() for name in names}

    async def act(name: str) -> None:
        await loops[name].measure(spent[name], stage.servers[name], GROWTH_S, lanes=FEW)

    await in_turns(names, GROWTH_TURNS, stage.rng, act)
    for name in names:
        await stage.end(name, opened[name])
    return totals(spent)


SCENARIOS = (
    Scenario(
        "50x1",
        "five events to a request, 50 connections × 1 in flight",
        throughput(50, 1, turns=4, seconds=0.4),
    ),
    Scenario(
        "500x8",
        "five events to a request, 500 connections × 8 in flight",
        throughput(500, 8, turns=2, seconds=0.7),
    ),
    Scenario(
        "alone",
        "each event alone, 1 ms after the one before it, 100 connections × 1 in flight",
        throughput(100, 1, turns=4, seconds=0.4),
        pause_s=0.001,
    ),
    Scenario("paced", "5,000 events/s over 50 connections, requests at random times", paced),
    Scenario("handshakes", "authenticated handshakes", handshakes),
    Scenario("memory", "2,000 idle connections", idle_memory(deflate=False)),
    Scenario(
        "memory-deflate",
        "2,000 idle connections that offer permessage-deflate, as browsers do",
        idle_memory(deflate=True),
    ),
    Scenario(
        "growth",
        "10 and 10,000 users, 10 in flight",
        growth,
        programs=tuple(
            (f"{one.name}{suffix}", one) for one in (OURS, DEFAULT) for suffix in ("", GROWN)
        ),
        files=MANY + 500,
    ),
)
