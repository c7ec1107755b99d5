"""More connections than there are file descriptors, and descriptors that something else has."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from limits import HANG_S
from measuring import Measured, Spread
from neighbour import FREE, ROOM, Neighbour, talking
from plain_client import UPGRADE, request
from processes import COMMAND, Server, python_path
from scripted_server import SUPPORT, metric, mint, scripted_server

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")

if sys.platform != "win32":
    import resource

TABS_A_USER = 30
HEALTH_S = 1.0
"""What a balancer commonly waits for."""

AT_ONCE = 50
"""Connections that are begun at a time: fewer than the backlog of the system."""

SILENCE = ""
NO_ROOM = "HTTP/1.1 503"
LET_IN = "HTTP/1.1 101"


def limited(descriptors: int) -> tuple[str, ...]:
    """Return the command of a process that may have so many descriptors and no more."""
    return ("sh", "-c", f'ulimit -n {descriptors}; exec "$0" "$@"', *COMMAND)


def open_descriptors(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


class Crowd:
    """Connections that stay, and what each of them was told first."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reading: list[asyncio.Task[str]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.most_descriptors = 0

    async def join(self, requests: list[str]) -> None:
        """Connect once for each request, and send it."""
        for start in range(0, len(requests), AT_ONCE):
            await asyncio.gather(*map(self._connect, requests[start : start + AT_ONCE]))
            taken = open_descriptors(self._server)
            self.most_descriptors = max(self.most_descriptors, taken)

    async def _connect(self, request: str) -> None:
        host, port = self._server.backend.removeprefix("http://").split(":")
        async with asyncio.timeout(HANG_S):
            reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode())
        self._writers.append(writer)
        self._reading.append(asyncio.create_task(self._first_words(reader, writer)))

    @staticmethod
    async def _first_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        words = (await reader.read(len(LET_IN))).decode()
        if words != LET_IN:
            writer.close()
        return words

    async def told(self, count: int) -> Counter[str]:
        """Return how many were told what, once so many were told something."""
        async with asyncio.timeout(HANG_S):
            while sum(task.done() for task in self._reading) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return Counter(task.result() if task.done() else SILENCE for task in self._reading)

    def leave(self) -> None:
        """Close all connections."""
        for task in self._reading:
            task.cancel()
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    gathered = Crowd(server)
    try:
        yield gathered
    finally:
        gathered.leave()


def handshake(user: str) -> str:
    return "\r\n".join(
        ["GET /ws HTTP/1.1", f"Authorization: Bearer {mint(user)}", *UPGRADE, "", ""]
    )


@asynccontextmanager
async def talking_server(folder: Path, **options: Any) -> AsyncIterator[tuple[Server, Neighbour]]:
    """A server with these options, and a user who talks to it."""
    with scripted_server(folder, **ROOM, **FREE, **options) as server:
        async with talking(server.backend) as neighbour:
            yield server, neighbour


async def said(server: Server, event: str) -> None:
    """Return when the log has such a line."""
    async with asyncio.timeout(HANG_S):
        while not any(line["event"] == event for line in server.log()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def healthy(server: Server) -> float:
    """Ask for the health; return after how many seconds it was answered with 200."""
    began = time.perf_counter()
    assert (await request(f"{server.backend}/ws/health")).status == 200
    return time.perf_counter() - began


async def exceeded(server: Server, limit: str) -> int:
    """Return how often a limit was met, of which the log says the same."""
    counted = int(await metric(server, "limit_exceeded_total", limit=limit))
    lines = [line for line in server.log() if line["event"] == "limit exceeded"]
    assert sum(line["limit"] == limit for line in lines) == counted
    return counted


def room_for_clients(descriptors: int) -> None:
    """Raise the soft limit of this process, whose clients take descriptors as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(descriptors, hard), hard))


@pytest.mark.fault(
    "out of file descriptors",
    promise="whoever is connected goes on, whoever finds no room is told, health is answered, and "
    "room that comes free is used",
)
async def test_more_connections_than_descriptors(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    descriptors = 4000 if soak else 800
    room_for_clients(2 * descriptors)
    patient = {"open_timeout_s": HANG_S, "command": limited(descriptors)}
    async with talking_server(tmp_path, **patient) as (server, neighbour):
        limits = (await request(f"{server.backend}/ws/config")).json()["limits"]
        tabs, pending = limits["max_connections"], limits["max_pending_connections"]
        assert tabs + pending < descriptors
        answered = [await healthy(server)]
        async with crowd(server) as full:
            for number in range(2 * tabs):
                await full.join([handshake(f"user-{number // TABS_A_USER}")])
                if number % AT_ONCE == 0:
                    await full.told(number + 1)
            told = await full.told(2 * tabs)
            assert set(told) == {LET_IN, NO_ROOM}
            refused = told[NO_ROOM]
            assert await exceeded(server, "max_connections") == refused >= tabs
            answered += [await healthy(server) for _ in range(10)]
            async with crowd(server) as silent:
                await silent.join([""] * 3 * pending)
                answered += [await healthy(server) for _ in range(10)]
                crowded = await exceeded(server, "max_pending_connections")
                assert crowded >= 2 * pending
                refusals = {NO_ROOM: crowded, SILENCE: 3 * pending - crowded}
                assert await silent.told(crowded) == refusals
            await neighbour.once_more()
            most = max(full.most_descriptors, silent.most_descriptors)
            assert most < descriptors
        left = time.perf_counter()
        async with crowd(server) as again:
            for tries in count(1):
                await again.join([handshake("newcomer")])
                if LET_IN in await again.told(tries):
                    break
            room_after = time.perf_counter() - left
        await neighbour.once_more()
        log = server.log()
        assert not any(line["event"].startswith("out of file descriptors") for line in log)
        assert "Traceback" not in server.stderr()
    assert not soak or max(answered) < HEALTH_S
    measured(
        "ulimit -n {descriptors}: {let_in} connections let in and {refused} refused with 503, then "
        "{crowded} of {silent} that only connected; at most {most} descriptors; health after "
        "{health_ms:.0f ms}; room again after {room_ms:.0f} ms; the neighbour had {neighbour} of "
        "{neighbour_appended} events",
        descriptors=descriptors,
        let_in=told[LET_IN],
        refused=refused,
        crowded=crowded,
        silent=3 * pending,
        most=most,
        health_ms=Spread.of(seconds * 1000 for seconds in answered),
        room_ms=room_after * 1000,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )


@pytest.mark.parametrize("loop", ["the default loop", "asyncio"])
async def test_descriptors_that_something_else_has_are_told_in_one_line(
    tmp_path: Path, loop: str
) -> None:
    env = {}
    if loop == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError")
        env = python_path(tmp_path, SUPPORT)
    async with talking_server(tmp_path, env=env) as (server, neighbour):
        pid = server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # What it has is left to it, and it cannot have one more.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_descriptors(server), hard))
        try:
            async with crowd(server) as waiting:
                await waiting.join([""] * 20)
                await said(server, "out of file descriptors: no connection is accepted")
                await neighbour.once_more()
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        await said(server, "file descriptors available again")
        await healthy(server)
        events = [line["event"] for line in server.log()]
        assert "Traceback" not in server.stderr()
    assert events[1:3] == [
        "out of file descriptors: no connection is accepted",
        "file descriptors available again",
    ]
    assert neighbour.balance.delivered == neighbour.balance.appended
