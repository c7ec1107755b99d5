"""The manager of one user's log, runs and connections, and the factory that returns it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from netra_ws import events
from netra_ws.agent import Agent, source_reader
from netra_ws.connections import Connections, OpenConnection
from netra_ws.context import UserExecutionContext, is_service
from netra_ws.deadline import time_limit
from netra_ws.errors import ConfigurationError
from netra_ws.event_log import START, EventLog, Position, UserLog
from netra_ws.event_log.memory import Cursor, MemoryEventLog
from netra_ws.metrics import Metrics
from netra_ws.runs import Runs
from netra_ws.settings import Settings

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Statistics:
    """Live counts of one process; service users are not in them."""

    connections: int
    users: int
    runs: int
    events: int
    losses: int


class WebSocketManager:
    """All of one user: the log, the runs that write it, the connections that read it."""

    __slots__ = ("_canary", "_log", "connections", "registry", "runs", "settings", "user_id")

    def __init__(self, user_id: str, log: UserLog, registry: ManagerRegistry) -> None:
        self.user_id = user_id
        self.registry = registry
        self.settings = registry.settings
        rest = partial(registry.rest, self)
        self.runs = Runs(user_id, log, registry.agent, registry.settings, registry.metrics, rest)
        self.connections = Connections(registry.settings.max_connections_per_user)
        self._log = log
        self._canary: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(user_id={self.user_id!r})"

    @property
    def is_idle(self) -> bool:
        """Whether the user has neither a connection nor an agent at work."""
        return not self.connections and self.runs.at_work == 0

    @property
    def events(self) -> int:
        """How many events the user has had."""
        return self._log.head

    def open_cursor(self, after: Position | None, wake: Callable[[], None]) -> Cursor:
        """Return a cursor over this user's events; see `UserLog.cursor`."""
        cursor = self._log.cursor(after, wake)
        metrics = self.registry.metrics
        if cursor.recovered is not None and after != START:
            metrics.resumes.labels("recovered" if cursor.recovered else "lost").inc()
        if cursor.recovered is False and after != START:
            self.registry.losses += 1
            metrics.events_lost.inc(cursor.lost or 0)
            if cursor.lost is None:  # another process gave it, or the log has been forgotten
                logger.warning("position lost", user_id=self.user_id, lost=None)
            else:
                metrics.exceeded(cursor.trimmed_by, user_id=self.user_id, lost=cursor.lost)
        return cursor

    def disconnect(self, connection: OpenConnection) -> None:
        """Let a connection go."""
        self.connections.leave(connection)
        self.registry.rest(self)

    async def canary(self) -> None:
        """Send an event through the log, shared by concurrent calls; raises `TimeoutError`."""
        if self._canary is None or self._canary.done():
            self._canary = asyncio.create_task(self._send_canary())
            # Its exception counts as seen, should the probe that asked have gone.
            self._canary.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._canary)

    async def _send_canary(self) -> None:
        arrived = asyncio.Event()
        cursor = self._log.cursor(None, arrived.set)
        try:
            sent = self._log.append(lambda _, seq: events.encode({"type": "canary", "seq": seq}))
            async with asyncio.timeout(self.settings.canary_timeout_s):
                while sent not in cursor.take(self.settings.retained_bytes):
                    arrived.clear()
                    await arrived.wait()
        except TimeoutError:
            self.registry.metrics.exceeded("canary_timeout_s", code=503, user_id=self.user_id)
            raise
        finally:
            cursor.close()


class ManagerRegistry:
    """The managers of one process, one per user, over one event log."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        agent: Agent = source_reader,
        event_log: EventLog | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.agent = agent
        self.metrics = Metrics(self._appended)
        self.losses = 0
        self.stopping = False
        self._event_log = event_log or MemoryEventLog(self.settings)
        self._managers: dict[str, WebSocketManager] = {}
        self._forgotten_events = 0
        self._rested: set[WebSocketManager] = set()
        self._resting: dict[WebSocketManager, float] = {}  # the longest rest first

    def manager(self, user_context: UserExecutionContext) -> WebSocketManager:
        """Return the manager of the context's user, the same one at each call."""
        user_id = user_context.user_id
        manager = self._managers.get(user_id)
        if manager is None:
            manager = WebSocketManager(user_id, self._event_log.user(user_id), self)
            manager.runs.stopping = self.stopping
            self._managers[user_id] = manager
        self.rest(manager)
        return manager

    def rest(self, manager: WebSocketManager) -> None:
        """Note that `manager` has just been asked for, or may no longer be in use."""
        self._resting.pop(manager, None)
        self._rested.add(manager)

    def expire(self, now: float) -> None:
        """Forget who has been idle for `idle_log_s`, counted from the first call that finds it."""
        self._resting |= {manager: now for manager in self._rested if manager.is_idle}
        self._rested.clear()
        while self._resting:
            manager, since = next(iter(self._resting.items()))
            if now - since < self.settings.idle_log_s:
                break
            del self._resting[manager], self._managers[manager.user_id]
            self._event_log.drop(manager.user_id)
            if manager.events and not is_service(manager.user_id):
                self._forgotten_events += manager.events
                self.metrics.exceeded("idle_log_s", user_id=manager.user_id)

    def _people(self) -> list[WebSocketManager]:
        return [one for one in self._managers.values() if not is_service(one.user_id)]

    def _appended(self) -> int:
        return self._forgotten_events + sum(manager.events for manager in self._people())

    def statistics(self) -> Statistics:
        """Return the live counts."""
        people = self._people()
        return Statistics(
            connections=sum(len(manager.connections) for manager in people),
            users=len(people),
            runs=sum(len(manager.runs.tasks()) for manager in people),
            events=sum(manager.events for manager in people),
            losses=self.losses,
        )

    async def revoke(self, user_id: str, token_id: str) -> None:
        """End the connections of a user that go on under this token; then nothing follows there."""
        manager = self._managers.get(user_id)
        revoked = manager.connections.under(token_id) if manager else []
        for connection in revoked:
            connection.revoke()
        await asyncio.sleep(0)  # a turn of the loop, in which the transports write
        for connection in revoked:
            connection.seal()

    async def drain(self, timeout_s: float) -> None:
        """Refuse new runs, and wait at most so long for runs to end and events to be delivered."""
        self._refuse_runs()
        managers = self._managers.values()
        with suppress(TimeoutError):
            async with time_limit(timeout_s):
                if tasks := [task for manager in managers for task in manager.runs.tasks()]:
                    await asyncio.wait(tasks)
                while any(one.is_behind for manager in managers for one in manager.connections):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    def _refuse_runs(self) -> None:
        self.stopping = True
        for manager in self._managers.values():
            manager.runs.stopping = True

    async def close(self, timeout_s: float = math.inf) -> None:
        """Refuse new runs and end those that go on, within `stop_timeout_s` and `timeout_s`."""
        self._refuse_runs()
        within = min(self.settings.stop_timeout_s, timeout_s)
        stopping = (manager.runs.stop_all(within) for manager in self._managers.values())
        await asyncio.gather(*stopping)

    @property
    def agents_at_work(self) -> int:
        """How many agents are at work, those included whose run has been ended without them."""
        return sum(manager.runs.at_work for manager in self._managers.values())


_registry: ManagerRegistry | None = None


def install_registry(registry: ManagerRegistry) -> None:
    """Make `registry` the one in use; raises `ConfigurationError` if there is one already."""
    global _registry
    if _registry is not None:
        msg = "one backend a process: another one is running in this one; stop it first"
        raise ConfigurationError(msg)
    _registry = registry


def remove_registry(registry: ManagerRegistry) -> None:
    """Undo `install_registry`; harmless if `registry` is not the one installed."""
    global _registry
    if _registry is registry:
        _registry = None


def get_websocket_manager(user_context: UserExecutionContext) -> WebSocketManager:
    """Return the manager of the context's user, the same one for as long as the process lives.

    It looks into a dictionary and does no input or output. Raises `ConfigurationError` if no
    backend runs in this process.
    """
    if _registry is None:
        msg = "no backend runs in this process: start one, or install a ManagerRegistry"
        raise ConfigurationError(msg)
    return _registry.manager(user_context)
