"""The manager of one user's log, runs and connections, and the factory that returns it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from netra_ws import events
from netra_ws.agent import STOPPED, Agent, AgentRun, agent_name, source_reader
from netra_ws.context import UserExecutionContext
from netra_ws.errors import ConfigurationError, RunRefused
from netra_ws.event_log import Cursor, EventLog, Position, UserLog
from netra_ws.event_log.memory import MemoryEventLog
from netra_ws.metrics import Metrics
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
    """All of one user: the log of the events, the runs that write it, the cursors that read it."""

    def __init__(self, user_id: str, log: UserLog, registry: ManagerRegistry) -> None:
        self.user_id = user_id
        self.registry = registry
        self.connections = 0
        self._log = log
        self._runs: dict[str, tuple[AgentRun, asyncio.Task[None]]] = {}
        self._canary: asyncio.Task[float] | None = None

    def __repr__(self) -> str:
        """Name the class and the user: no address, so that it can stand in a compared output."""
        return f"{type(self).__name__}(user_id={self.user_id!r})"

    @property
    def settings(self) -> Settings:
        """The limits in force."""
        return self.registry.settings

    @property
    def runs(self) -> int:
        """How many runs are going on."""
        return len(self._runs)

    @property
    def events(self) -> int:
        """How many events the user has had."""
        return self._log.head

    def open_cursor(self, after: Position | None, wake: Callable[[], None]) -> Cursor:
        """Return a cursor over this user's events; see `UserLog.cursor`."""
        cursor = self._log.cursor(after, wake)
        if cursor.recovered is False:
            self.registry.losses += 1
            logger.warning("position lost", user_id=self.user_id, lost=cursor.lost)
        return cursor

    def start_run(self, context: UserExecutionContext, message: str) -> None:
        """Start a run of the agent on `message`; it goes on whether or not anybody listens.

        Raises `RunRefused` if the user has `max_runs_per_user` runs already, or if the server is
        stopping.
        """
        if self.registry.stopping:
            raise RunRefused("stopping", "the server is stopping; reconnect and ask again")
        if len(self._runs) >= self.settings.max_runs_per_user:
            limit = self.settings.max_runs_per_user
            raise RunRefused("too_many_runs", f"at most {limit} runs at a time; wait for one")
        run = AgentRun(context, agent_name(self.registry.agent), message, self._log)
        task = asyncio.create_task(self._run(run))
        self._runs[context.run_id] = run, task

        def done(_task: asyncio.Task[None]) -> None:
            self._runs.pop(context.run_id, None)
            run.end("cancelled", STOPPED)  # a task cancelled before its first step never ran

        task.add_done_callback(done)

    def stop_run(self, run_id: str) -> None:
        """Cancel a run; it still ends in `agent_completed`.

        Raises `RunRefused` if this user has no such run, whoever else may have it.
        """
        if run_id not in self._runs:
            raise RunRefused("unknown_run", "no run of yours with that run_id is going on")
        _, task = self._runs[run_id]
        task.cancel()

    async def stop_all_runs(self) -> None:
        """Cancel every run; after `stop_timeout_s` end those that will not."""
        runs = tuple(self._runs.values())
        for _, task in runs:
            task.cancel()
        if runs:
            await asyncio.wait({task for _, task in runs}, timeout=self.settings.stop_timeout_s)
        for run, task in runs:
            if not task.done():
                logger.error("run would not stop", run_id=run.context.run_id)
                run.end("cancelled", STOPPED)

    async def _run(self, run: AgentRun) -> None:
        async with run:
            async with asyncio.timeout(self.settings.run_timeout_s):
                response = await self.registry.agent(run, run.message)
            if not isinstance(response, str):
                msg = f"the agent returned {type(response).__name__}, expected str"
                raise TypeError(msg)
            run.final_response = response

    async def canary(self) -> float:
        """Send an event through this manager and its log, and return how long it took, in s.

        Concurrent calls share one canary. Raises `TimeoutError` after `canary_timeout_s`.
        """
        if self._canary is None:
            self._canary = asyncio.create_task(self._send_canary())
            self._canary.add_done_callback(self._forget_canary)
        return await asyncio.shield(self._canary)

    def _forget_canary(self, task: asyncio.Task[float]) -> None:
        self._canary = None
        if not task.cancelled():
            task.exception()  # seen, should the probe that asked have gone

    async def _send_canary(self) -> float:
        started = time.perf_counter()
        arrived = asyncio.Event()
        cursor = self._log.cursor(None, arrived.set)
        try:
            sent = self._log.append(
                lambda position: events.encode({"type": "canary", "seq": position.seq})
            )
            async with asyncio.timeout(self.settings.canary_timeout_s):
                while sent not in cursor.take(self.settings.retained_bytes):
                    arrived.clear()
                    await arrived.wait()
        finally:
            cursor.close()
        return time.perf_counter() - started


class ManagerRegistry:
    """The managers of one process, one per user, over one event log."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        agent: Agent = source_reader,
        event_log: EventLog | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.agent = agent
        self.metrics = metrics or Metrics()
        self.losses = 0
        self.stopping = False
        self._event_log = event_log or MemoryEventLog(self.settings)
        self._managers: dict[str, WebSocketManager] = {}

    def manager(self, user_context: UserExecutionContext) -> WebSocketManager:
        """Return the manager of the context's user, the same one at each call."""
        user_id = user_context.user_id
        manager = self._managers.get(user_id)
        if manager is None:
            manager = WebSocketManager(user_id, self._event_log.user(user_id), self)
            self._managers[user_id] = manager
        return manager

    def statistics(self) -> Statistics:
        """Return the live counts."""
        people = [
            manager
            for manager in self._managers.values()
            if not UserExecutionContext(manager.user_id).is_service
        ]
        return Statistics(
            connections=sum(manager.connections for manager in people),
            users=len(people),
            runs=sum(manager.runs for manager in people),
            events=sum(manager.events for manager in people),
            losses=self.losses,
        )

    async def close(self) -> None:
        """Refuse new runs, cancel those that go on, and return when each has ended."""
        self.stopping = True
        await asyncio.gather(*(manager.stop_all_runs() for manager in self._managers.values()))


_registry: ManagerRegistry | None = None


def install_registry(registry: ManagerRegistry) -> None:
    """Make `registry` the one that `get_websocket_manager` asks.

    Raises `ConfigurationError` if another is in use: two backends in one process would hand one's
    users to the other.
    """
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
