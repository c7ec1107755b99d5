"""The managers of a process: one per user, its runs, its canary and its statistics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from limits import HANG_S
from polling import until

import netra_ws
from netra_ws import events
from netra_ws.agent import AgentRun
from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.errors import ConfigurationError, GrammarError, RequestRefused
from netra_ws.event_log import Position
from netra_ws.event_log.memory import Cursor, MemoryEventLog, MemoryUserLog
from netra_ws.manager import (
    ManagerRegistry,
    Statistics,
    WebSocketManager,
    get_websocket_manager,
    install_registry,
    remove_registry,
)
from netra_ws.settings import Settings

LIMIT_S = HANG_S
ALL = 1 << 30


@pytest.fixture
def installed() -> Iterator[ManagerRegistry]:
    """A registry that the factory asks."""
    registry = ManagerRegistry()
    install_registry(registry)
    yield registry
    remove_registry(registry)


async def wait_forever(run: AgentRun, _message: str) -> str:
    """Work until stopped."""
    async with run.tool("wait", {}):
        await asyncio.Event().wait()
    return "not reached"


class Listener:
    """One user's manager, with a cursor that collects what it sends."""

    def __init__(self, registry: ManagerRegistry, user_id: str = "ann") -> None:
        self.context = UserExecutionContext(user_id)
        self.manager = registry.manager(self.context)
        self._arrived = asyncio.Event()
        self._cursor: Cursor = self.manager.open_cursor(None, self._arrived.set)
        self.messages: list[dict[str, Any]] = []

    def start(self) -> str:
        """Start a run and return its id."""
        context = self.context.for_run()
        self.manager.runs.start(context, "hello")
        return context.run_id

    async def until(self, event_type: str, count: int = 1) -> None:
        """Wait until so many events of that type have come."""
        async with asyncio.timeout(LIMIT_S):
            while [message["type"] for message in self.messages].count(event_type) < count:
                await self._arrived.wait()
                self._arrived.clear()
                self.messages += map(json.loads, self._cursor.take(ALL))
        await asyncio.sleep(0)  # the task of a run ends on the turn after its last event

    def statuses(self) -> list[str]:
        """How the runs so far have ended."""
        ends = [message for message in self.messages if message["type"] == "agent_completed"]
        return [message["payload"]["status"] for message in ends]


# The factory


def test_the_same_user_has_the_same_manager(installed: ManagerRegistry) -> None:
    one, other = UserExecutionContext("ann"), UserExecutionContext("ann")
    assert get_websocket_manager(one) is get_websocket_manager(other)


def test_another_user_has_another_manager(installed: ManagerRegistry) -> None:
    ann = get_websocket_manager(UserExecutionContext("ann"))
    assert get_websocket_manager(UserExecutionContext("bob")) is not ann


def test_the_factory_returns_a_manager_and_not_a_coroutine(installed: ManagerRegistry) -> None:
    manager = get_websocket_manager(UserExecutionContext("ann"))
    assert type(manager) is WebSocketManager
    assert not hasattr(manager, "__await__")


def test_the_factory_asks_the_registry_in_use(installed: ManagerRegistry) -> None:
    context = UserExecutionContext("ann")
    assert get_websocket_manager(context) is installed.manager(context)


def test_a_manager_shows_its_user_and_no_address(installed: ManagerRegistry) -> None:
    manager = get_websocket_manager(UserExecutionContext("ann"))
    assert repr(manager) == "WebSocketManager(user_id='ann')"


def test_without_a_backend_the_factory_says_so() -> None:
    with pytest.raises(ConfigurationError, match="no backend runs in this process"):
        get_websocket_manager(UserExecutionContext("ann"))


def test_a_second_backend_is_refused(installed: ManagerRegistry) -> None:
    with pytest.raises(ConfigurationError, match="one backend a process"):
        install_registry(ManagerRegistry())


def test_removing_another_registry_changes_nothing(installed: ManagerRegistry) -> None:
    remove_registry(ManagerRegistry())
    assert get_websocket_manager(UserExecutionContext("ann")).registry is installed


def test_a_removed_registry_makes_room() -> None:
    for _ in range(2):
        registry = ManagerRegistry()
        install_registry(registry)
        remove_registry(registry)


def test_two_registries_share_no_user() -> None:
    one, other = ManagerRegistry(), ManagerRegistry()
    context = UserExecutionContext("ann")
    assert one.manager(context) is not other.manager(context)


def test_the_names_of_the_package_are_there() -> None:
    for name in netra_ws.__all__:
        assert getattr(netra_ws, name) is not None


# Runs


async def test_a_run_too_many_is_refused() -> None:
    registry = ManagerRegistry(Settings(max_runs_per_user=2), agent=wait_forever)
    ann = Listener(registry)
    ann.start()
    ann.start()
    with pytest.raises(RequestRefused, match="at most 2 runs at a time") as refused:
        ann.start()
    assert refused.value.code == "too_many_runs"
    await ann.until("tool_executing", 2)
    await registry.close()


async def test_one_users_runs_leave_room_for_anothers() -> None:
    registry = ManagerRegistry(Settings(max_runs_per_user=1), agent=wait_forever)
    ann, bob = Listener(registry, "ann"), Listener(registry, "bob")
    ann.start()
    bob.start()
    await bob.until("tool_executing")
    await registry.close()


async def test_a_run_that_ended_makes_room() -> None:
    ann = Listener(ManagerRegistry(Settings(max_runs_per_user=1)))
    for count in range(1, 4):
        ann.start()
        await ann.until("agent_completed", count)
    assert ann.statuses() == ["completed"] * 3


async def test_a_stopped_run_ends_as_cancelled() -> None:
    ann = Listener(ManagerRegistry(agent=wait_forever))
    run_id = ann.start()
    await ann.until("tool_executing")
    ann.manager.runs.stop(run_id)
    await ann.until("agent_completed")
    assert ann.statuses() == ["cancelled"]
    assert [message["type"] for message in ann.messages][-2:] == [
        "tool_completed",
        "agent_completed",
    ]


async def test_a_run_stopped_twice_ends_once() -> None:
    ann = Listener(ManagerRegistry(agent=wait_forever))
    run_id = ann.start()
    await ann.until("tool_executing")
    ann.manager.runs.stop(run_id)
    ann.manager.runs.stop(run_id)
    await ann.until("agent_completed")
    assert ann.statuses() == ["cancelled"]


async def test_stopping_one_run_leaves_the_others() -> None:
    registry = ManagerRegistry(agent=wait_forever)
    ann = Listener(registry)
    stopped, other = ann.start(), ann.start()
    await ann.until("tool_executing", 2)
    ann.manager.runs.stop(stopped)
    await ann.until("agent_completed")
    assert ann.messages[-1]["run_id"] == stopped
    assert len(ann.manager.runs.tasks()) == 1
    ann.manager.runs.stop(other)
    await ann.until("agent_completed", 2)


async def test_anothers_run_is_refused_like_one_that_does_not_exist() -> None:
    registry = ManagerRegistry(agent=wait_forever)
    ann, bob = Listener(registry, "ann"), Listener(registry, "bob")
    run_id = ann.start()
    await ann.until("tool_executing")
    refusals = []
    for unknown in (run_id, "run-of-nobody"):
        with pytest.raises(RequestRefused) as refused:
            bob.manager.runs.stop(unknown)
        refusals.append((refused.value.code, str(refused.value)))
    assert refusals[0] == refusals[1]
    assert refusals[0][0] == "unknown_run"
    assert len(ann.manager.runs.tasks()) == 1
    await registry.close()


async def test_a_run_that_ended_cannot_be_stopped() -> None:
    ann = Listener(ManagerRegistry())
    run_id = ann.start()
    await ann.until("agent_completed")
    with pytest.raises(RequestRefused) as refused:
        ann.manager.runs.stop(run_id)
    assert refused.value.code == "unknown_run"


async def test_a_run_that_takes_too_long_has_failed(
    run_agent: Callable[..., Awaitable[ReceivedRun]], log_lines: list[dict[str, Any]]
) -> None:
    run = await run_agent(wait_forever, "hello", Settings(run_timeout_s=0.01))
    run.verify()
    completed = run.events[-1].payload
    assert isinstance(completed, events.AgentCompletedPayload)
    assert (completed.status, completed.final_response) == ("failed", "The run took too long.")
    assert [line["limit"] for line in log_lines] == ["run_timeout_s"]


async def test_closing_the_registry_cancels_every_run_of_every_user() -> None:
    registry = ManagerRegistry(agent=wait_forever)
    listeners = [Listener(registry, user) for user in ("ann", "bob")]
    for listener in listeners:
        listener.start()
        listener.start()
        await listener.until("tool_executing", 2)
    async with asyncio.timeout(LIMIT_S):
        await registry.close()
    for listener in listeners:
        await listener.until("agent_completed", 2)
        assert listener.statuses() == ["cancelled", "cancelled"]
        assert len(listener.manager.runs.tasks()) == 0


async def test_a_run_stopped_before_its_first_step_still_begins_and_ends() -> None:
    ann = Listener(ManagerRegistry())
    ann.manager.runs.stop(ann.start())
    await ann.until("agent_completed")
    assert [message["type"] for message in ann.messages] == ["agent_started", "agent_completed"]
    assert ann.statuses() == ["cancelled"]
    assert len(ann.manager.runs.tasks()) == 0


async def test_an_agent_that_will_not_stop_is_ended_over_its_head(
    log_lines: list[dict[str, Any]],
) -> None:
    let_go, refused = asyncio.Event(), asyncio.Event()

    async def stubborn(run: AgentRun, message: str) -> str:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                pass
        with pytest.raises(GrammarError, match="expected no further event"):
            await run.thinking("One more thing:")
        refused.set()
        return message

    registry = ManagerRegistry(Settings(stop_timeout_s=0.05), agent=stubborn)
    ann = Listener(registry)
    run_id = ann.start()
    await ann.until("agent_started")
    closed, _ = await asyncio.wait({asyncio.create_task(registry.close())}, timeout=1)
    let_go.set()  # else nothing would ever end the task of the run
    assert closed
    async with asyncio.timeout(LIMIT_S):
        await refused.wait()
    await ann.until("agent_completed")
    assert [message["type"] for message in ann.messages] == ["agent_started", "agent_completed"]
    assert ann.statuses() == ["cancelled"]
    (line,) = log_lines
    assert (line["event"], line["limit"]) == ("limit exceeded", "stop_timeout_s")
    assert line["run_id"] == run_id
    assert len(ann.manager.runs.tasks()) == 0


# The canary


async def test_concurrent_calls_share_one_canary() -> None:
    manager = ManagerRegistry().manager(UserExecutionContext.for_service("health"))
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(manager.canary() for _ in range(20)))
    assert manager.events == 1


async def test_a_later_call_sends_a_canary_of_its_own() -> None:
    manager = ManagerRegistry().manager(UserExecutionContext.for_service("health"))
    async with asyncio.timeout(LIMIT_S):
        for _ in range(20):
            await manager.canary()
    assert manager.events == 20


async def test_a_probe_that_gives_up_leaves_the_canary_to_the_others() -> None:
    manager = ManagerRegistry().manager(UserExecutionContext.for_service("health"))
    async with asyncio.timeout(LIMIT_S):
        one, other = (asyncio.create_task(manager.canary()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await other
    assert manager.events == 1


class UnreadLog(MemoryUserLog):
    """A log that takes events and gives them to nobody."""

    __slots__ = ()

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        """Encode the event, and lose it."""
        return encode(self.epoch, self.head + 1)


class UnreadEventLog(MemoryEventLog):
    """An event log of such logs."""

    def user(self, user_id: str) -> MemoryUserLog:
        """Return a new one."""
        return UnreadLog(self, 8, 1024)


async def test_a_canary_that_does_not_arrive_is_given_up_in_time() -> None:
    settings = Settings(canary_timeout_s=0.01)
    registry = ManagerRegistry(settings, event_log=UnreadEventLog(settings))
    manager = registry.manager(UserExecutionContext.for_service("health"))
    async with asyncio.timeout(LIMIT_S):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await manager.canary()


# Statistics


class Tab:
    """An open connection, as far as a manager is concerned."""

    token_id = "token-1"

    def revoke(self) -> None:
        """Not in this test."""
        raise AssertionError


async def test_statistics_count_people_and_what_they_do() -> None:
    registry = ManagerRegistry(agent=wait_forever)
    ann, bob = Listener(registry, "ann"), Listener(registry, "bob")
    ann.start()
    ann.start()
    assert bob.manager.connections.join(Tab())
    await ann.until("tool_executing", 2)
    assert registry.statistics() == Statistics(connections=1, users=2, runs=2, events=4, losses=0)
    await registry.close()


async def test_service_users_are_in_no_statistics() -> None:
    registry = ManagerRegistry()
    async with asyncio.timeout(LIMIT_S):
        await registry.manager(UserExecutionContext.for_service("health")).canary()
    registry.manager(UserExecutionContext.for_service("stats"))
    assert registry.statistics() == Statistics(connections=0, users=0, runs=0, events=0, losses=0)


@pytest.mark.parametrize("after", [Position("another epoch", 3), Position("another epoch", 0)])
def test_a_lost_position_is_counted_and_logged(
    after: Position, log_lines: list[dict[str, Any]]
) -> None:
    registry = ManagerRegistry()
    manager = registry.manager(UserExecutionContext("ann"))
    manager.open_cursor(after, lambda: None)
    assert registry.statistics().losses == 1
    assert log_lines == [
        {"event": "position lost", "level": "warning", "user_id": "ann", "lost": None}
    ]


def test_a_new_cursor_is_no_loss(log_lines: list[dict[str, Any]]) -> None:
    registry = ManagerRegistry()
    registry.manager(UserExecutionContext("ann")).open_cursor(None, lambda: None)
    assert registry.statistics().losses == 0
    assert log_lines == []


async def test_a_run_accepted_just_before_the_stop_still_begins_and_ends() -> None:
    registry = ManagerRegistry()
    context = UserExecutionContext("ada")
    manager = registry.manager(context)
    cursor = manager.open_cursor(None, lambda: None)
    manager.runs.start(context, "hello")
    async with asyncio.timeout(LIMIT_S):
        await registry.close()
    types = [events.decode(event).__struct_config__.tag for event in cursor.take(1 << 20)]
    assert types[0] == "agent_started"
    assert types[-1] == "agent_completed"


async def test_a_stopping_server_refuses_new_runs() -> None:
    registry = ManagerRegistry()
    context = UserExecutionContext("ada")
    await registry.close()
    with pytest.raises(RequestRefused) as refused:
        registry.manager(context).runs.start(context, "hello")
    assert refused.value.code == "stopping"


async def test_only_the_idle_are_forgotten_and_only_after_their_time() -> None:
    """Also those whose last run has ended after their last connection."""
    go_on = asyncio.Event()

    async def agent(run: AgentRun, message: str) -> str:
        await go_on.wait()
        return message

    registry = ManagerRegistry(Settings(idle_log_s=10), agent=agent)
    ann = Listener(registry)
    ann.start()
    for now in (0.0, 11.0, 22.0):
        registry.expire(now)
        assert registry.statistics().users == 1
    go_on.set()
    await ann.until("agent_completed")
    await until(lambda: ann.manager.is_idle, 0)
    for now, users in ((30.0, 1), (39.9, 1), (40.0, 0)):
        registry.expire(now)
        assert registry.statistics().users == users
    assert registry.manager(UserExecutionContext("ann")) is not ann.manager
