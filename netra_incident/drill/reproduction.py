"""The reproduction: the tests that fail because of the bug, run beside the drill in threads."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from netra_incident.case import Case
from netra_incident.drill.threads import begin_in_thread, to_the_end
from netra_incident.history.checkout import git, scratch_checkout
from netra_incident.proof.suite import Run, run_suite
from netra_ws.errors import ConfigurationError

OPTIONS = ("--timeout=60", "--session-timeout=100")
"""Seconds for one test, and after which no further test begins."""


class _Over(Exception):
    """Raised in a thread to leave the tests that it runs."""


class Reproduction:
    """The tests of the case's first category, as they lie in `project`.

    Raises `ConfigurationError` if they do not.
    """

    def __init__(self, case: Case, project: Path) -> None:
        self.file = case.categories[0].file
        self._case = case
        self._project = project
        self._over = threading.Event()
        self._runs: list[asyncio.Future[Run]] = []
        if not (project / self.file).is_file():
            msg = f"there is no {self.file} in {project.resolve()}"
            raise ConfigurationError(f"{msg}: expected a checkout of the project")

    def begin(self, tree: Path) -> asyncio.Future[Run]:
        """Begin to run the tests on a copy of a tree; cancelling the future does not end them.

        On a copy, because the tree may change before they end.
        """

        def run() -> Run:
            with tempfile.TemporaryDirectory(prefix="netra-ws-") as copy:
                git("checkout-index", "--all", f"--prefix={copy}/", cwd=tree)
                return self._run(Path(copy))

        return self._begin(run)

    def begin_on_broken(self) -> asyncio.Future[Run]:
        """Begin to run the tests on `buggy`."""

        def run() -> Run:
            with scratch_checkout(self._case.buggy) as tree:
                return self._run(tree)

        return self._begin(run)

    def leave(self) -> None:
        """Let the tests that still run end at the next one."""
        self._over.set()

    async def end(self) -> None:
        """Leave the tests that still run and wait for their end."""
        self.leave()
        await to_the_end(asyncio.gather(*self._runs, return_exceptions=True))

    def _begin(self, run: Callable[[], Run]) -> asyncio.Future[Run]:
        future = begin_in_thread(run)
        self._runs.append(future)
        return asyncio.shield(future)

    def _run(self, tree: Path) -> Run:
        def go_on(_percent: int) -> None:
            if self._over.is_set():
                raise _Over  # and `run_suite` ends the test process

        return run_suite([self.file], tree, self._project, *OPTIONS, progress=go_on)
