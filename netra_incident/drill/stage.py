"""The stage of a drill, and what can be done on it.

It is a checkout of the history, deployed as local staging, under steady traffic.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp

from netra_incident.case import BROKEN, MENDED, Case
from netra_incident.drill.activities import ANSWERS, SESSIONS, STEADY_SESSIONS
from netra_incident.drill.failures import errors_logged, errors_seen, failed_tests
from netra_incident.drill.journal import Measure
from netra_incident.drill.reproduction import Reproduction
from netra_incident.drill.threads import in_thread
from netra_incident.drill.traffic import Traffic
from netra_incident.history.checkout import GitFailed, git, scratch_checkout
from netra_incident.history.deployment import StagingDeployment, deploy_staging
from netra_incident.measuring.load import ENDPOINTS, probe_endpoints
from netra_incident.proof.suite import Run, Test
from netra_ws.client import login
from netra_ws.errors import ConfigurationError

USERS = 3

SESSIONS_LIMIT_S = 50.0
"""For the sessions of a steady state."""

DETECT_LIMIT_S = 50.0
"""For a session that does not complete."""


class Outcome(NamedTuple):
    """What came of a step; the fields are those of `Step`."""

    ok: bool
    detail: str
    output: dict[str, Any] | None = None
    measures: tuple[Measure, ...] = ()


class Stage:
    """What a drill acts on, from entering the context to leaving it.

    `project` is a checkout of the project, `tree` one of the history that has the fix; commits are
    added to it. Without a tree it is a scratch checkout of `fixed`. Entering raises
    `ConfigurationError` if git is missing, the tree has uncommitted changes, or the deployment
    does not start.

    `broken_s` and `mended_s` are when the backends without and with the fix were known to listen;
    all times are seconds since the traffic began, at `began`.
    """

    def __init__(self, case: Case, project: Path, tree: Path | None) -> None:
        self.began = datetime.now(UTC)
        self.broken_s: float | None = None
        self.mended_s: float | None = None
        self.new_failures: tuple[str, ...] = ()
        self.traffic: Traffic
        self._reproduction = Reproduction(case, project)
        self._case = case
        self._given_tree = tree
        self._tree: Path
        self._commit: str
        self._deployment: StagingDeployment
        self._zero = time.perf_counter()
        self._leaving = AsyncExitStack()
        self._known: asyncio.Future[Run]
        self._reverted: Run | None = None

    def clock(self) -> float:
        """Return the seconds since the traffic began."""
        return time.perf_counter() - self._zero

    async def __aenter__(self) -> Self:
        """Check out, deploy, and let the traffic begin."""
        resources = ExitStack()
        self._leaving.push_async_callback(in_thread, resources.close)
        self._leaving.push_async_callback(self._reproduction.end)

        def check_out() -> None:
            tree = self._given_tree or resources.enter_context(scratch_checkout(self._case.fixed))
            changes = git("status", "--porcelain", "--untracked-files=no", cwd=tree)
            if changes:
                msg = f"{tree} has uncommitted changes, and a drill resets them: commit them first"
                raise ConfigurationError(msg)
            self._commit = git("rev-parse", "HEAD", cwd=tree).strip()
            self._tree = tree

        def deploy() -> None:
            deployment = deploy_staging(tree=self._tree, users=USERS)
            self._deployment = resources.enter_context(deployment)

        try:
            await in_thread(check_out)
            self._known = self._reproduction.begin_on_broken()  # takes as long as all that follows
            await in_thread(deploy)
            users = [
                await login(self._deployment.auth, user.email, user.password)
                for user in self._deployment.users
            ]
            self.began, self._zero = datetime.now(UTC), time.perf_counter()
            self.traffic = Traffic(self._deployment.backend, users, self.clock)
            await self._leaving.enter_async_context(self.traffic)
        except BaseException:
            await self._leaving.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the traffic, the tests and the servers, and delete the scratch checkout."""
        await self._leaving.aclose()

    def hurry(self) -> None:
        """Leave the tests that still run."""
        self._reproduction.leave()

    # The steps

    async def steady_state(self) -> Outcome:
        """Measure what must hold before and after: complete sessions, endpoints that answer."""
        start_s = self.clock()
        row = await self.traffic.complete_in_a_row(STEADY_SESSIONS, start_s, SESSIONS_LIMIT_S)
        between_s = self.clock()
        answers = list((await self._endpoints()).values()).count(200)
        measures = (
            Measure(SESSIONS, row, start_s, between_s),
            Measure(ANSWERS, answers, between_s, self.clock()),
        )
        ok = all(measure.met for measure in measures)
        detail = f"{row} sessions complete in a row, {answers} of {len(ENDPOINTS)} endpoints 200"
        if not ok:
            last = [session.outcome for session in self.traffic.sessions[-1:]] or ["none"]
            detail = f"expected {STEADY_SESSIONS} and {len(ENDPOINTS)}, got {detail}"
            detail += f"; the last session: {last[0]}"
        output = {"sessions": row, "endpoints": answers}
        return Outcome(ok, detail, output, measures)

    async def _endpoints(self) -> dict[str, int]:
        try:
            return await probe_endpoints(self._deployment)
        except aiohttp.ClientError:
            return {}  # there is no backend

    async def revert(self) -> Outcome:
        """Take the fix back with a commit."""

        def revert() -> str:
            git("revert", "--no-edit", MENDED, cwd=self._tree)
            return git("show", "--format=", "--numstat", "HEAD", cwd=self._tree)

        try:
            stat = await in_thread(revert)
        except GitFailed as error:
            return Outcome(False, f"expected the fix to be taken back, {_words(error)}")
        rows = [line.split("\t") for line in stat.splitlines()]
        detail = ", ".join(f"{added} lines of {file}" for added, _, file in rows)
        return Outcome(True, detail, {"files": [file for _, _, file in rows]})

    async def deploy_broken(self) -> Outcome:
        """Replace the backend by one with the tree as it is now."""
        self.broken_s, outcome = await self._redeploy()
        return outcome

    async def deploy_mended(self) -> Outcome:
        """Do the same, with the fix again."""
        self.mended_s, outcome = await self._redeploy()
        return outcome

    async def _redeploy(self) -> tuple[float, Outcome]:
        def redeploy() -> float:
            self._deployment.redeploy(tree=self._tree)
            return self.clock()

        return await in_thread(redeploy), Outcome(True, "another backend, at the same address")

    async def detect(self) -> Outcome:
        """Wait for a session that does not complete."""
        assert self.broken_s is not None
        try:
            async with asyncio.timeout(DETECT_LIMIT_S):
                found = await self.traffic.first(lambda one: not one.complete, self.broken_s)
        except TimeoutError:
            msg = f"expected a session that does not complete within {DETECT_LIMIT_S:g} s"
            return Outcome(False, f"{msg}, all of them do")
        detail = f"a session did not complete: {found.outcome}"
        return Outcome(True, detail, {"session": found.outcome})

    async def validate(self) -> Outcome:
        """Run the reproduction on the reverted tree."""
        self._reverted = run = await self._reproduction.begin(self._tree)
        if run.said:
            return Outcome(False, f"expected the tests to run, pytest said: {run.said}")
        must_fail = [test for test in run.tests if test.mark == "fail_to_pass"]
        wrong = [test for test in run.tests if not _as_marked(test)]
        output = {"failed": [test.id for test in run.not_passed()]}
        if wrong or not must_fail:
            got = "; ".join(map(_came, wrong)) or "no fail-to-pass test"
            msg = "expected every fail-to-pass test to fail for its reason, the others to pass"
            return Outcome(False, f"{msg}, got: {got}", output)
        n, others = len(must_fail), len(run.tests) - len(must_fail)
        detail = f"{n} of {n} fail-to-pass tests failed for their reason, {others} others passed"
        return Outcome(True, detail, output)

    async def investigate(self) -> Outcome:
        """Look for failures that the reproduction on `buggy` does not show."""
        await self._endpoints()  # so that the log has every route
        known, reverted = await self._known, self._reverted or Run(())
        for name, run in ((BROKEN, known), ("the reverted tree", reverted)):
            if not run.tests:
                why = run.said or "nothing"
                return Outcome(False, f"expected the tests of {name} to compare, got: {why}")
        tests, logged = failed_tests(reverted), errors_logged(self._deployment.log())
        new = {*tests, *errors_seen(reverted), *logged}
        new.difference_update(failed_tests(known), errors_seen(known))
        self.new_failures = tuple(sorted(new))
        output = {"tests": tests, "log": logged, "new_failures": list(self.new_failures)}
        if new:
            named = "; ".join(self.new_failures)
            return Outcome(False, f"expected the failures of {BROKEN} alone, new: {named}", output)
        counts = f"failed tests: {len(tests)}, failed lines of the backend: {len(logged)}"
        return Outcome(True, f"{counts}; all known from {BROKEN}", output)

    async def reapply(self) -> Outcome:
        """Put the fix back with another commit or, if that fails, by a hard reset."""

        def reapply() -> str:
            how = "nothing to revert"
            if git("rev-parse", "HEAD", cwd=self._tree).strip() != self._commit:
                try:
                    git("revert", "--no-edit", "HEAD", cwd=self._tree)
                    git("diff", "--quiet", self._commit, cwd=self._tree)
                except GitFailed as error:
                    how = _words(error)
                else:
                    return "git revert of the revert"
            git("reset", "--quiet", "--hard", self._commit, cwd=self._tree)
            return f"git reset --hard ({how})"

        how = await in_thread(reapply)
        return Outcome(True, f"{how}; the tree has the fix again", {"how": how})


def _as_marked(test: Test) -> bool:
    """Whether a test comes out as its mark says for a tree with the bug."""
    return test.fails_for_its_reason if test.mark == "fail_to_pass" else test.outcome == "passed"


def _came(test: Test) -> str:
    words = f": {test.words.splitlines()[0]}" if test.words else ""
    return f"{test.name} {test.outcome}{words}"


def _words(error: GitFailed) -> str:
    """Return what git said, without its hints to whoever would go on by hand."""
    return str(error).partition(" hint: ")[0]
