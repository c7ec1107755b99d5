"""The runs of one user: they start, are stopped, take too long, and each ends exactly once.

Guarded by ``tests/unit/test_runs.py`` and ``tests/integration/test_bounds.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from netra_ws.agent import TIMED_OUT, Agent, AgentRun, agent_name
from netra_ws.context import UserExecutionContext
from netra_ws.errors import RunRefused
from netra_ws.event_log import UserLog
from netra_ws.events import RunStatus
from netra_ws.metrics import Metrics
from netra_ws.settings import Settings


class Runs:
    """The runs of one user; they go on whether or not anybody listens.

    `on_rest` is called whenever an agent has come to its end. Set `stopping` to refuse new runs.
    """

    def __init__(
        self,
        user_id: str,
        log: UserLog,
        agent: Agent,
        settings: Settings,
        metrics: Metrics,
        on_rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.stopping = False
        self.last_completed = 0
        """The `seq` of the newest `agent_completed`, 0 before the first."""
        self._user_id = user_id
        self._log = log
        self._agent = agent
        self._settings = settings
        self._metrics = metrics
        self._on_rest = on_rest
        self._runs: dict[str, tuple[AgentRun, asyncio.Task[None]]] = {}

    @property
    def at_work(self) -> int:
        """How many agents are at work, those included whose run was ended over their heads."""
        return len(self._runs)

    @property
    def going_on(self) -> int:
        """How many runs have not ended."""
        return len(self.tasks())

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of the runs that have not ended."""
        return [task for run, task in self._runs.values() if not run.ended]

    def start(self, context: UserExecutionContext, message: str) -> None:
        """Start a run of the agent on `message`.

        Raises `RunRefused` if the user has `max_runs_per_user` agents at work already, or if the
        server is stopping.
        """
        if self.stopping:
            raise RunRefused("stopping", "the server is stopping; reconnect and ask again")
        limit = self._settings.max_runs_per_user
        if len(self._runs) >= limit:
            self._metrics.exceeded("max_runs_per_user", user_id=self._user_id)
            raise RunRefused("too_many_runs", f"at most {limit} runs at a time; wait for one")
        run = AgentRun(context, agent_name(self._agent), message, self._log, self._ended)
        task = asyncio.create_task(self._work(run))
        self._runs[context.run_id] = run, task
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._settings.run_timeout_s, self._time_out, run, task)

        def done(_task: asyncio.Task[None]) -> None:
            timer.cancel()
            del self._runs[context.run_id]
            self._on_rest()
            run.end(*run.cancelled_as)  # a task cancelled before its first step has not begun

        task.add_done_callback(done)

    async def _work(self, run: AgentRun) -> None:
        async with run:
            response = await self._agent(run, run.message)
            if not isinstance(response, str):
                msg = f"the agent returned {type(response).__name__}, expected str"
                raise TypeError(msg)
            run.final_response = response

    def stop(self, run_id: str) -> None:
        """Cancel a run; it ends in `agent_completed` within `stop_timeout_s`.

        Raises `RunRefused` if this user has no such run, whoever else may have it.

        Guarded by
        tests/integration/test_session_security.py::test_a_foreign_run_is_answered_as_an_unknown_one
        """
        run, task = self._runs.get(run_id, (None, None))
        if run is None or task is None or run.ended:
            raise RunRefused("unknown_run", "no run of yours with that run_id is going on")
        self._cancel(run, task)

    def _time_out(self, run: AgentRun, task: asyncio.Task[None]) -> None:
        if run.ended:
            return
        run_id = run.context.run_id
        self._metrics.exceeded("run_timeout_s", user_id=self._user_id, run_id=run_id)
        run.cancelled_as = "failed", TIMED_OUT
        self._cancel(run, task)

    def _cancel(self, run: AgentRun, task: asyncio.Task[None]) -> None:
        """Cancel a run, and end it over its agent's head should that go on all the same."""
        task.cancel()
        loop = asyncio.get_running_loop()
        loop.call_later(self._settings.stop_timeout_s, self._insist, run)

    def _insist(self, run: AgentRun) -> None:
        if not run.ended:
            run_id = run.context.run_id
            self._metrics.exceeded("stop_timeout_s", user_id=self._user_id, run_id=run_id)
            run.end(*run.cancelled_as)

    def _ended(self, status: RunStatus) -> None:
        self.last_completed = self._log.head
        self._metrics.runs.labels(status).inc()

    async def stop_all(self, timeout_s: float) -> None:
        """Cancel every run; after `timeout_s` seconds end those that will not."""
        runs = [(run, task) for run, task in self._runs.values() if not run.ended]
        for _, task in runs:
            task.cancel()
        if runs:
            await asyncio.wait({task for _, task in runs}, timeout=timeout_s)
        for run, _ in runs:
            self._insist(run)
