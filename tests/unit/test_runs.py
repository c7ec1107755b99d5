"""The runs of one user: whatever the agent does and whoever ends it, each ends exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from clock import Clock
from msgspec import UNSET, UnsetType
from tabs import LIMIT_S

from netra_ws.agent import AgentRun, source_reader
from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.errors import RequestRefused
from netra_ws.event_log.memory import MemoryEventLog
from netra_ws.events import AgentCompleted, decode
from netra_ws.metrics import Metrics
from netra_ws.runs import LAST_IDS, Runs
from netra_ws.settings import Settings

QUICK = Settings(stop_timeout_s=0.02, retained_events=10_000)


class Bench:
    """The runs of Ann with one agent, and what they left."""

    def __init__(self, agent: Callable[..., Awaitable[Any]], settings: Settings = QUICK) -> None:
        self.log = MemoryEventLog(settings).user("ann")
        self.metrics = Metrics()
        self.rests = 0
        self.runs = Runs("ann", self.log, agent, settings, self.metrics, self._rest)
        self._changed = asyncio.Event()
        self.log.cursor(None, self._changed.set)

    def _rest(self) -> None:
        self.rests += 1
        self._changed.set()

    def start(self, message: str = "hello", message_id: str | UnsetType = UNSET) -> str:
        return self.runs.start(UserExecutionContext("ann"), message, message_id)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds, which an event or a rest makes it."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await self._changed.wait()
                self._changed.clear()

    async def at_rest(self) -> None:
        await self.until(lambda: self.runs.at_work == 0)

    def ended(self) -> dict[str, str]:
        """Return the status of each run by its id; each is complete and ended once."""
        received: dict[str, ReceivedRun] = {}
        for message in self.log.events:
            event = decode(message)
            received.setdefault(event.run_id, ReceivedRun()).add(message.decode(), event)
        for run in received.values():
            if any(isinstance(event, AgentCompleted) for event in run.events):
                run.verify()  # which fails for anything after the first one
        return {
            event.run_id: event.payload.status
            for run in received.values()
            for event in run.events
            if isinstance(event, AgentCompleted)
        }

    def responses(self) -> dict[str, str]:
        """Return the final response of each run by its id."""
        events = map(decode, self.log.events)
        return {
            event.run_id: event.payload.final_response
            for event in events
            if isinstance(event, AgentCompleted)
        }

    def counted(self) -> dict[str, float]:
        """Return the counter of runs by status."""
        return {status: float(count) for status, count in self.metrics.runs.items() if count}


class Agents:
    """What agents do, well and badly; those that wait do so until they are let go."""

    NAMES = (
        "source_reader",
        "raises",
        "exits",
        "returns_no_text",
        "waits",
        "waits_in_a_tool",
        "swallows",
        "swallows_and_speaks",
        "raises_when_cancelled",
        "awaits_what_was_cancelled",
    )
    source_reader = staticmethod(source_reader)

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def raises(self, run: AgentRun, message: str) -> str:
        raise LookupError(message)

    async def exits(self, run: AgentRun, message: str) -> str:
        raise SystemExit(message)

    async def awaits_what_was_cancelled(self, run: AgentRun, message: str) -> str:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
        return message

    async def returns_no_text(self, run: AgentRun, message: str) -> Any:
        return 7

    async def waits(self, run: AgentRun, message: str) -> str:
        await self.let_go.wait()
        return "let go"

    async def waits_in_a_tool(self, run: AgentRun, message: str) -> str:
        async with run.tool("wait", {}):
            await self.let_go.wait()
        return "let go"

    async def swallows(self, run: AgentRun, message: str) -> str:
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                pass
        return "let go"

    async def swallows_and_speaks(self, run: AgentRun, message: str) -> str:
        async with run.tool("wait", {}):
            await self.swallows(run, message)
        await run.thinking("One more thing:")
        return "let go"

    async def raises_when_cancelled(self, run: AgentRun, message: str) -> str:
        try:
            return await self.waits(run, message)
        except asyncio.CancelledError as error:
            raise LookupError(message) from error


async def stop_at_once(bench: Bench, run_id: str) -> None:
    bench.runs.stop(run_id)


async def stop_twice(bench: Bench, run_id: str) -> None:
    await bench.until(lambda: bench.log.head)
    for _ in range(2):
        try:
            bench.runs.stop(run_id)
        except RequestRefused:
            assert run_id in bench.ended()


async def stop_all(bench: Bench, run_id: str) -> None:
    await bench.until(lambda: bench.log.head)
    await bench.runs.stop_all(0.05)


async def let_time_pass(bench: Bench, run_id: str) -> None:
    await bench.until(lambda: run_id in bench.ended())


ACTS = {act.__name__: act for act in (stop_at_once, stop_twice, stop_all, let_time_pass)}


@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
@pytest.mark.parametrize("name", Agents.NAMES)
async def test_every_run_ends_once_whatever_its_agent_does(
    name: str, act: Callable[[Bench, str], Awaitable[None]]
) -> None:
    agents = Agents()
    settings = Settings(stop_timeout_s=0.02, run_timeout_s=0.05)
    bench = Bench(getattr(agents, name), settings)
    run_id = bench.start()
    await act(bench, run_id)
    await bench.until(lambda: run_id in bench.ended())
    (status,) = bench.ended().values()
    assert bench.counted() == {status: 1}
    assert len(bench.runs.tasks()) == 0
    assert bench.runs.last_completed == bench.log.head
    agents.let_go.set()
    await bench.at_rest()
    assert bench.ended() == {run_id: status}
    assert (bench.counted(), bench.rests) == ({status: 1}, 1)


@asynccontextmanager
async def waiting(count: int, settings: Settings = QUICK) -> AsyncIterator[tuple[Bench, list[str]]]:
    """Give a bench with that many runs that wait."""
    agents = Agents()
    bench = Bench(agents.waits, settings)
    run_ids = [bench.start() for _ in range(count)]
    await bench.until(lambda: bench.log.head == count)
    yield bench, run_ids
    await bench.runs.stop_all(0.05)
    await bench.at_rest()


async def test_a_run_that_takes_too_long_has_failed(log_lines: list[dict[str, Any]]) -> None:
    bench = Bench(Agents().waits, Settings(run_timeout_s=0.02))
    run_id = bench.start()
    await bench.at_rest()
    assert bench.ended() == {run_id: "failed"}
    assert [(line["limit"], line["run_id"]) for line in log_lines] == [("run_timeout_s", run_id)]


async def test_each_run_has_its_own_time() -> None:
    """One timer is there for all: it goes on to the next run, and from none to a new one."""
    clock = Clock(asyncio.get_running_loop())
    bench = Bench(Agents().waits, Settings(run_timeout_s=60.0, stop_timeout_s=0.02))
    early = bench.start()
    clock.forward(30.0)
    late = bench.start()
    clock.forward(30.0)
    await bench.until(lambda: early in bench.ended())
    assert late not in bench.ended()
    clock.forward(30.0)
    await bench.at_rest()
    last = bench.start()
    clock.forward(60.0)
    await bench.at_rest()
    assert bench.ended() == dict.fromkeys((early, late, last), "failed")


async def test_a_run_that_is_in_time_meets_no_limit(log_lines: list[dict[str, Any]]) -> None:
    bench = Bench(source_reader, Settings(run_timeout_s=0.5))
    bench.start()
    await bench.at_rest()
    assert len(asyncio.all_tasks()) == 1  # nothing of it is left
    assert log_lines == []


async def test_a_run_too_many_is_refused_until_one_has_come_to_rest(
    log_lines: list[dict[str, Any]],
) -> None:
    agents = Agents()
    bench = Bench(agents.swallows, Settings(max_runs_per_user=1, stop_timeout_s=0.02))
    run_id = bench.start()
    await bench.until(lambda: bench.log.head)
    bench.runs.stop(run_id)
    await bench.until(bench.ended)
    assert (len(bench.runs.tasks()), bench.runs.at_work) == (0, 1)  # it still takes the room
    with pytest.raises(RequestRefused) as refused:
        bench.start()
    assert refused.value.code == "too_many_runs"
    with pytest.raises(RequestRefused, match="no run of yours"):
        bench.runs.stop(run_id)
    agents.let_go.set()
    await bench.at_rest()
    bench.start()
    await bench.at_rest()
    limits = Counter(line["limit"] for line in log_lines)
    assert limits == {"stop_timeout_s": 1, "max_runs_per_user": 1}


async def test_a_run_stopped_before_its_first_step_ends_at_once() -> None:
    bench = Bench(source_reader, Settings(stop_timeout_s=10 * LIMIT_S))
    run_id = bench.start()
    bench.runs.stop(run_id)
    await bench.at_rest()
    assert bench.ended() == {run_id: "cancelled"}


async def test_one_run_is_stopped_and_the_others_go_on() -> None:
    async with waiting(3) as (bench, run_ids):
        bench.runs.stop(run_ids[1])
        await bench.until(lambda: bench.runs.at_work == 2)
        assert len(bench.runs.tasks()) == 2
        await bench.runs.stop_all(0.05)
        assert list(bench.ended()) == run_ids


@pytest.mark.parametrize("which", ["unknown", "ended"])
async def test_a_run_that_is_not_there_cannot_be_stopped(which: str) -> None:
    bench = Bench(source_reader)
    run_id = bench.start()
    await bench.at_rest()
    with pytest.raises(RequestRefused) as refused:
        bench.runs.stop(run_id if which == "ended" else "run-0")
    assert (refused.value.code, str(refused.value)) == (
        "unknown_run",
        "no run of yours with that run_id is going on",
    )


async def test_a_server_that_stops_starts_no_run() -> None:
    bench = Bench(source_reader)
    bench.runs.stopping = True
    with pytest.raises(RequestRefused) as refused:
        bench.start()
    assert refused.value.code == "stopping"
    assert (bench.log.head, bench.runs.at_work) == (0, 0)


async def test_to_stop_all_takes_no_longer_than_one_stop() -> None:
    agents = Agents()
    bench = Bench(agents.swallows)
    for _ in range(5):
        bench.start()
    await bench.until(lambda: bench.log.head == 5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await bench.runs.stop_all(0.1)
    assert 0.1 <= loop.time() - began < 0.3
    assert Counter(bench.ended().values()) == {"cancelled": 5}
    agents.let_go.set()
    await bench.at_rest()


async def test_a_run_that_nobody_stopped_is_not_said_to_be_stopped() -> None:
    bench = Bench(Agents().awaits_what_was_cancelled)
    run_id = bench.start()
    await bench.until(lambda: run_id in bench.ended())
    assert bench.ended() == {run_id: "failed"}


# Why a run was cancelled


async def test_a_run_that_the_end_of_the_server_cuts_says_so() -> None:
    """But not one that its user had stopped, nor one that had taken too long."""
    agents = Agents()
    bench = Bench(agents.swallows, Settings(run_timeout_s=0.05, stop_timeout_s=10 * LIMIT_S))
    late = bench.start()
    await bench.until(lambda: bench.log.head)
    await asyncio.sleep(0.06)
    stopped, cut = bench.start(), bench.start()
    await bench.until(lambda: bench.log.head == 3)
    bench.runs.stop(stopped)
    early = bench.start()
    await bench.runs.stop_all(0.02)
    agents.let_go.set()
    await bench.at_rest()
    assert bench.responses() == {
        late: "The run took too long.",
        stopped: "The run was stopped.",
        cut: "The run was cut off: the server is shutting down.",
        early: "The run was cut off: the server is shutting down.",
    }


# The ids of messages


async def finish(bench: Bench, *message_ids: str) -> list[str]:
    """Start a run for each id, wait for it, and return the ids of the runs."""
    run_ids = []
    for message_id in message_ids:
        run_ids.append(bench.start(message_id=message_id))
        await bench.at_rest()
    return run_ids


def some(count: int, prefix: str = "more") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


async def test_the_last_ids_stay_known_however_old_they_are() -> None:
    clock = Clock(asyncio.get_running_loop())
    bench = Bench(source_reader, Settings(idle_log_s=1.0, retained_events=10_000))
    (first,) = await finish(bench, "first")
    await finish(bench, *some(LAST_IDS - 1))
    clock.forward(5.0)
    assert await finish(bench, "first") == [first]
    await finish(bench, "one more")
    assert await finish(bench, "first") != [first]


async def test_ids_stay_known_for_a_time_however_many_they_are() -> None:
    clock = Clock(asyncio.get_running_loop())
    bench = Bench(source_reader, Settings(idle_log_s=60.0, retained_events=10_000))
    (first,) = await finish(bench, "first")
    await finish(bench, *some(LAST_IDS + 10))
    assert await finish(bench, "first") == [first]
    clock.forward(60.0)
    await finish(bench, "one more")
    assert await finish(bench, "first") != [first]


@pytest.mark.guards("max_messages_per_s", "idle_log_s")
async def test_more_ids_than_can_be_kept_are_refused(log_lines: list[dict[str, Any]]) -> None:
    """And none of those that are known is forgotten for it."""
    clock = Clock(asyncio.get_running_loop())
    settings = Settings(idle_log_s=150.0, max_messages_per_s=2.0, retained_events=10_000)
    bench = Bench(source_reader, settings)
    (first,) = await finish(bench, "first")
    await finish(bench, *some(299))
    with pytest.raises(RequestRefused) as refused:
        bench.start(message_id="one too many")
    assert refused.value.code == "too_many_ids"
    assert [line["limit"] for line in log_lines] == ["max_messages_per_s"]
    assert await finish(bench, "first") == [first]
    bench.start()
    await bench.at_rest()
    clock.forward(150.0)
    await finish(bench, "one too many")
