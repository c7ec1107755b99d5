"""Threads for what blocks: so many for a user, so many in all, and how long somebody waits."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from netra_ws.metrics import Exposition

working_for: ContextVar[str] = ContextVar("working_for", default="")
"""The user whose run is at work; empty for the server itself."""


@dataclass(slots=True, eq=False)
class _User:
    name: str
    waiting: dict[_Call, None] = field(default_factory=dict)  # the oldest first
    busy: int = 0
    below_bound_since: float = 0.0
    has_waited: bool = False


class _Call(Future[Any]):
    """A call in a thread."""

    def __init__(
        self, user: _User, work: Callable[[], Any], came: float, let_go: Callable[[_Call], None]
    ) -> None:
        super().__init__()
        self.user = user
        self.work = work
        self.came = came
        self._let_go = let_go

    def cancel(self) -> bool:
        """Cancel the call as `Future.cancel` does; of one that has begun, only wait no longer."""
        cancelled = super().cancel()
        self._let_go(self)
        return cancelled


class Threads(ThreadPoolExecutor):
    """An executor with `of_user` threads for each user and `in_all` for all together.

    The context of who submits a call says whose it is. Users take turns. A thread whose call was
    cancelled after it had begun counts to its user only, so that nobody else waits for it.
    """

    def __init__(
        self,
        name: str,
        metrics: Exposition,
        *,
        in_all: int,
        of_user: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Not `in_all`: threads that nobody waits for come on top.
        super().__init__(max_workers=2**31, thread_name_prefix=name)
        self.name = name
        self._in_all = in_all
        self._of_user = of_user
        self._clock = clock
        self._metrics = metrics
        self._wait = metrics.thread_wait
        metrics.threads_waiting.set_function(lambda: self.waiting)
        # Reentrant: what the garbage collector calls may cancel a call.
        self._changing = threading.RLock()
        self._users: dict[str, _User] = {}  # in the order of their turns
        self._counted: set[_Call] = set()

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        with self._changing:
            return sum(len(user.waiting) for user in self._users.values())

    def waited_s(self) -> float:
        """Return for how many seconds at most a user below their bound has waited by now."""
        with self._changing:
            since = [
                max(next(iter(user.waiting)).came, user.below_bound_since)
                for user in self._users.values()
                if user.waiting and user.busy < self._of_user
            ]
        return self._clock() - min(since) if since else 0.0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` in a thread as soon as there is one for the user at work."""
        name = working_for.get()
        with self._changing:
            user = self._users.setdefault(name, _User(name))
            call = _Call(user, partial(fn, *args, **kwargs), self._clock(), self._let_go)
            user.waiting[call] = None
            self._start()
            newly = bool(user.waiting) and not user.has_waited
            user.has_waited |= newly
        if newly and name:
            limit = "max_threads" if user.busy < self._of_user else "max_threads_per_user"
            self._metrics.exceeded(limit, user_id=name)
        return call

    def _start(self) -> None:
        """Start what may start now, one call of a user after one of another."""
        while len(self._counted) < self._in_all:
            ready = (u for u in self._users.values() if u.waiting and u.busy < self._of_user)
            if (user := next(ready, None)) is None:
                break
            call = next(iter(user.waiting))
            del user.waiting[call]
            self._users[user.name] = self._users.pop(user.name)
            if call.set_running_or_notify_cancel():
                user.busy += 1
                self._counted.add(call)
                self._wait.observe(self._clock() - call.came)
                try:
                    super().submit(self._work, call)
                except RuntimeError as error:  # no thread can be started, or none any more
                    self._end(call)
                    call.set_exception(error)

    def _work(self, call: _Call) -> None:
        if call.done():
            return
        try:
            result = call.work()
        except BaseException as error:
            self._end(call)
            call.set_exception(error)
        else:
            self._end(call)
            call.set_result(result)

    def _end(self, call: _Call) -> None:
        with self._changing:
            user = call.user
            if user.busy == self._of_user:
                user.below_bound_since = self._clock()
            user.busy -= 1
            self._let_go(call)

    def _let_go(self, call: _Call) -> None:
        """Count a call no longer: it has ended, or nobody waits for it."""
        with self._changing:
            user = call.user
            user.waiting.pop(call, None)
            self._counted.discard(call)
            if not user.busy and not user.waiting:
                self._users.pop(user.name, None)
            self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End as `ThreadPoolExecutor.shutdown` does."""
        with self._changing:
            users = tuple(self._users.values()) if cancel_futures else ()
            for call in [call for user in users for call in user.waiting]:
                call.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)
