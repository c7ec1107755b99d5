"""kill -9 in the middle of runs: the clients come back, and are told what the process took away."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from limits import HANG_S
from measuring import Measured, Spread
from neighbour import ROOM
from processes import Server
from scripted_server import SECRET, journal, said, scripted_server
from watchers import Watcher, watching
from wire import Wire

from netra_ws.client import Backoff, Client, ReceivedRun, login
from netra_ws.errors import EventsLost, RunUnconfirmed
from netra_ws.events import AgentCompleted, AgentThinking, Event

LONG_RUN = json.dumps([["think", 50_000, 0.005]])
"""A run that outlasts the test: every kill comes in the middle."""

SHORT_RUN = json.dumps([["think", 3, 0]])
UNHEARD = 10
"""Events of each user who is away, at least, that nobody is given before the kill."""


@dataclass
class User:
    """A person with two tabs: one asks, the other one keeps every event that it is given."""

    asking: Client
    watcher: Watcher
    asked: int = 0

    async def ask(self, content: str) -> ReceivedRun | EventsLost | RunUnconfirmed:
        """Return the run, or the error with which the client says that it cannot have it."""
        self.asked += 1
        try:
            return await self.asking.chat(content, HANG_S)
        except (EventsLost, RunUnconfirmed) as told:
            return told


async def connect(
    stack: AsyncExitStack, auth: Server, backend: str, wire: Wire, backoff: Backoff
) -> list[User]:
    """Connect everybody; every fourth one by way of the wire."""
    clients = []
    for number, account in enumerate(auth.users):
        log_in = partial(login, auth.auth, account.email, account.password)
        url = wire.url if number % 4 == 0 else backend
        clients += [Client(url, log_in, backoff=backoff) for _ in range(2)]
    asking, reading = clients[::2], clients[1::2]
    watchers = await stack.enter_async_context(watching(*reading))
    for client in asking:
        await stack.enter_async_context(client)
    return [User(client, watcher) for client, watcher in zip(asking, watchers, strict=True)]


async def appended_since(path: Path, users: set[str], count: int) -> None:
    """Return when the journal has so many more events of each of these users."""
    before = said(path)
    async with asyncio.timeout(HANG_S):
        while any(  # noqa: ASYNC110 - the agent is in another process
            said(path)[user] < before[user] + count for user in users
        ):
            await asyncio.sleep(0.01)


def has_ended(run_id: str, events: Sequence[Event]) -> bool:
    return any(isinstance(event, AgentCompleted) and event.run_id == run_id for event in events)


@pytest.mark.fault(
    "kill -9 in mid-run",
    promise="clients come back and are told what is lost; no event twice, no run twice",
)
async def test_clients_come_back_and_are_told_what_the_process_took_with_it(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """Of the users a quarter is cut off before the kill, and a quarter asks as it comes."""
    kills, people = (10, 32) if soak else (1, 8)
    # In the short form nobody gives up, however long the next process takes to start.
    backoff = Backoff() if soak else Backoff(first_s=0.1, max_s=0.5, attempts=10_000)
    path = tmp_path / "journal"
    lost, outages, restarts = 0, [], []
    told: list[ReceivedRun | EventsLost | RunUnconfirmed] = []
    async with AsyncExitStack() as stack:
        auth = Server(
            *("--service", "auth", "--demo-users", str(people)),
            cwd=tmp_path,
            log=tmp_path / "auth.log",
            env={"NETRA_WS_SECRET": SECRET},
        )
        stack.enter_context(auth)
        start = partial(scripted_server, tmp_path, env=journal(path), run_timeout_s=3600, **ROOM)
        server = stack.enter_context(start())
        port = int(server.backend.rpartition(":")[2])
        wire = await stack.enter_async_context(Wire(server.backend))
        users = await connect(stack, auth, server.backend, wire, backoff)
        for _ in range(kills):
            path.unlink(missing_ok=True)
            marks = [len(user.watcher.events) for user in users]
            for user in users:
                user.asked = 0
            away, late, there = users[::4], users[1::4], users[2::4] + users[3::4]
            asks = [asyncio.create_task(user.ask(LONG_RUN)) for user in away + there]
            thoughts = random.randint(1, 150)
            for user, mark in zip(users, marks, strict=True):
                if user not in late:
                    await user.watcher.count(AgentThinking, thoughts, mark)
            wire.cut()
            names = {user.watcher.events[-1].user_id for user in away}
            await appended_since(path, names, UNHEARD)
            late_asks = [asyncio.create_task(user.ask(SHORT_RUN)) for user in late]
            for _ in range(random.randint(1, 10)):
                await asyncio.sleep(0)  # some have been written by then, and some have not
            server.kill()
            killed = time.perf_counter()
            appended = said(path)
            server = stack.enter_context(await asyncio.to_thread(start, port=port))
            restarts.append(time.perf_counter() - killed)
            wire.mend()
            told += await asyncio.gather(*asks)
            await asyncio.gather(*late_asks)

            async def again(user: User, mark: int, killed: float = killed) -> None:
                run = await user.ask(SHORT_RUN)
                assert isinstance(run, ReceivedRun)
                outages.append(time.perf_counter() - killed)
                (run_id,) = {event.run_id for event in run.events}
                await user.watcher.until(partial(has_ended, run_id), mark)

            await asyncio.gather(*map(again, users, marks))
            for user, mark in zip(users, marks, strict=True):
                events = user.watcher.events[mark:]
                heard = [event for event in events if isinstance(event, AgentThinking)]
                before = [event for event in heard if event.epoch != events[-1].epoch]
                # The kill can come after an event is on its way and before it is in the journal.
                missing = appended[events[-1].user_id] - len(before)
                assert missing >= (UNHEARD if user in away else -1)
                lost += max(0, missing)
                assert said(path, "begun")[events[-1].user_id] <= user.asked
    # Of a run that its process saw only the beginning of, everybody is told. A run asked for at
    # the end may have begun in either process, or be told to be unconfirmed: never nothing.
    assert {type(outcome) for outcome in told} <= {EventsLost, RunUnconfirmed}
    for user in users:
        user.watcher.check_order()
        assert [loss.lost for loss in user.watcher.told] == [None] * kills
    measured(
        "{kills} kills, {users} users each: {lost} events lost that nobody had been given, and all "
        "users told so ({errors}); no event and no run twice; the process listened again after "
        "{restart_s:.1f s}, the next whole run ended {back_s:.1f s} after the kill",
        kills=kills,
        users=people,
        lost=lost,
        errors=", ".join(sorted({type(outcome).__name__ for outcome in told})),
        restart_s=Spread.of(restarts),
        back_s=Spread.of(outages),
    )
