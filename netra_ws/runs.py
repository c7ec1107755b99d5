"""The runs of one user: they start, are stopped, take too long, and each ends exactly once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from netra_ws import events
from netra_ws.agent import Agent, AgentRun, Reader
from netra_ws.context import MAX_ID_LENGTH, UserExecutionContext
from netra_ws.errors import RequestRefused, RunRefused
from netra_ws.event_log import UserLog
from netra_ws.events import RunStatus
from netra_ws.messages import OngoingRun
from netra_ws.metrics import Metrics
from netra_ws.settings import Settings
from netra_ws.threads import working_for

TOO_LONG: tuple[RunStatus, str] = "failed", "The run took too long."
CUT: tuple[RunStatus, str] = "cancelled", "The run was cut off: the server is shutting down."

LAST_IDS = 256
"""Ids of a user's messages that stay known longer than `idle_log_s`."""


class _Entry(NamedTuple):
    run: AgentRun
    task: asyncio.Task[None]
    deadline: float


@dataclass(slots=True, eq=False, repr=False)
class Runs:
    """The runs of one user, which go on without a listener; each agent's end calls `on_rest`."""

    _user_id: str
    _log: UserLog
    _agent: Agent
    _settings: Settings
    _metrics: Metrics
    _on_rest: Callable[[], None] = lambda: None
    stopping: bool = False
    """Whether new runs are refused."""
    last_completed: int = 0
    """The `seq` of the newest `agent_completed`, 0 before the first."""
    late: set[Reader] = field(default_factory=set)
    """Connections that are far behind: for them events wait."""
    _name: str = field(init=False)
    _runs: dict[str, _Entry] = field(default_factory=dict)  # the oldest first
    _known: OrderedDict[str, tuple[str, float]] = field(default_factory=OrderedDict)
    # One for all: a timer for each run would be a twentieth of what it costs (measured).
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        """Take the name of the agent as it can be sent, whatever it is."""
        name = str(getattr(self._agent, "__name__", type(self._agent).__name__))
        self._name = name.encode(errors="replace").decode()[:MAX_ID_LENGTH]

    @property
    def at_work(self) -> int:
        """How many agents are at work, those included whose run has been ended without them."""
        return len(self._runs)

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of the runs that have not ended."""
        return [entry.task for entry in self._runs.values() if not entry.run.ended]

    def ongoing(self) -> list[OngoingRun]:
        """Return the runs that have begun and not ended."""
        return [
            OngoingRun(run_id, run.context.thread_id, run.seq)
            for run_id, (run, _, _) in self._runs.items()
            if run.seq and not run.ended
        ]

    def start(
        self, context: UserExecutionContext, message: str, message_id: str | UnsetType = UNSET
    ) -> str:
        """Start a run of the agent on `message`, and return its `run_id`.

        That of the first run if the id is known. Raises `RunRefused` if it may not start now.
        """
        if message_id and message_id in self._known:
            return self._known[message_id][0]
        if self.stopping:
            raise RunRefused("stopping", "the server is stopping; reconnect and ask again")
        limit = self._settings.max_runs_per_user
        if len(self._runs) >= limit:
            self._metrics.exceeded("max_runs_per_user", user_id=self._user_id)
            raise RunRefused("too_many_runs", f"at most {limit} runs at a time; wait for one")
        events.check_message(message, self._settings.max_message_bytes)
        loop = asyncio.get_running_loop()
        if message_id:
            self._take(message_id, context.run_id, loop.time())
        run = AgentRun(
            context,
            self._name,
            message,
            self._log,
            self._ended,
            self._metrics.tool_failures.inc,
            self.late,
            self._settings.max_event_bytes,
            message_id=message_id,
        )
        task = loop.create_task(self._work(run))
        deadline = loop.time() + self._settings.run_timeout_s
        self._runs[context.run_id] = _Entry(run, task, deadline)
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._time_out)

        def done(_task: asyncio.Task[None]) -> None:
            del self._runs[context.run_id]
            self._on_rest()
            run.end(*run.cancelled_as)  # a task cancelled before its first step has not begun

        task.add_done_callback(done)
        return context.run_id

    def _take(self, message_id: str, run_id: str, now: float) -> None:
        """Remember an id, in the place of what is old; raises `RunRefused` if there is none."""
        known, keep_s = self._known, self._settings.idle_log_s
        while len(known) >= LAST_IDS and now - next(iter(known.values()))[1] >= keep_s:
            known.popitem(last=False)
        limit = max(LAST_IDS, self._settings.max_messages_per_s * keep_s)
        if len(known) >= limit:
            self._metrics.exceeded("max_messages_per_s", user_id=self._user_id)
            raise RunRefused("too_many_ids", f"at most {limit:g} ids in {keep_s:g} s; send none")
        known[message_id] = run_id, now

    async def _work(self, run: AgentRun) -> None:
        working_for.set(self._user_id)
        async with run:
            response = await self._agent(run, run.message)
            if not isinstance(response, str):
                raise TypeError(f"the agent returned {type(response).__name__}, expected str")
            if run.late:
                await run.let_others()
            run.final_response = response

    def stop(self, run_id: str) -> None:
        """Cancel a run; raises `RequestRefused` if no such run of this user is going on."""
        entry = self._runs.get(run_id)
        if entry is None or entry.run.ended:
            raise RequestRefused("unknown_run", "no run of yours with that run_id is going on")
        self._cancel(entry.run, entry.task)

    def _time_out(self) -> None:
        """End the runs that have taken too long, and wait for the next one."""
        self._timer = None
        loop = asyncio.get_running_loop()
        for run, task, deadline in tuple(self._runs.values()):
            if run.ended or run.cancelled_as == TOO_LONG:
                continue
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._time_out)
                break
            self._exceeded("run_timeout_s", run)
            run.cancelled_as = TOO_LONG
            self._cancel(run, task)

    def _cancel(self, run: AgentRun, task: asyncio.Task[None]) -> None:
        """Cancel a run, and end it after `stop_timeout_s` if its agent goes on all the same."""
        task.cancel()
        task.get_loop().call_later(self._settings.stop_timeout_s, self._insist, run)

    def _insist(self, run: AgentRun) -> None:
        if not run.ended:
            self._exceeded("stop_timeout_s", run)
            run.end(*run.cancelled_as)

    def _exceeded(self, limit: str, run: AgentRun) -> None:
        self._metrics.exceeded(limit, user_id=self._user_id, run_id=run.context.run_id)

    def _ended(self, status: RunStatus) -> None:
        self.last_completed = self._log.head
        self._metrics.runs[status] += 1

    async def stop_all(self, timeout_s: float) -> None:
        """Cancel every run; after `timeout_s` end those that go on."""
        for run, task, _ in self._runs.values():
            if not task.cancelling():  # else it has been stopped, or took too long
                run.cancelled_as = CUT
        if tasks := self.tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=timeout_s)
        for run, _, _ in tuple(self._runs.values()):
            self._insist(run)
