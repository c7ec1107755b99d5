"""Bisection: the first commit on which the reproduction fails, found by `git bisect run`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netra_incident.case import Case, load_case
from netra_incident.history.checkout import GitFailed, git
from netra_incident.history.tree import TreeLacks
from netra_incident.proof.suite import run_suite
from netra_ws.serving.origin import check_origin

GOOD, BAD, SKIP, ABORT = 0, 1, 125, 128
"""What `git bisect run` reads out of an exit code (git-bisect(1))."""


@dataclass(frozen=True)
class Bisection:
    """What was judged, in its order, and what it came to.

    `judgements` are pairs of ``good``, ``bad`` or ``skip`` and the subject of the commit; `found`
    are the subjects of the commits that can be the first bad one, `commits` their ids.
    """

    judgements: tuple[tuple[str, str], ...]
    found: tuple[str, ...]
    commits: tuple[str, ...]

    def __repr__(self) -> str:
        """Return what is the same in every run.

        Which commits git tries after a skip depends on their ids, and these on every file of the
        package.
        """

        def named(verdict: str) -> str:
            return ", ".join(name for what, name in self.judgements if what == verdict) or "none"

        return "\n".join(
            [
                f"first bad commit: {' or '.join(self.found)}",
                f"three commits judged or more: {len(self.judgements) >= 3}",
                f"skipped: {named('skip')}",
                f"bad before it: {named('bad')}",
            ]
        )


def bisect(case: Case, repository: Path, good: str, bad: str, project: Path = Path()) -> Bisection:
    """Find the first bad commit of a checkout between two revisions of it.

    The judge is the reproduction of the case, in `project`. Raises `ConfigurationError` if it is
    not there, or if git fails.
    """
    judge = [sys.executable, "-P", "-m", __name__, str(project.resolve()), str(case.folder)]
    git("bisect", "start", bad, good, cwd=repository)
    try:
        try:
            git("bisect", "run", *judge, cwd=repository)
        except GitFailed:
            # It fails as well when only skipped commits are left: these are then the answer.
            if "possible first bad commit" not in git("bisect", "log", cwd=repository):
                raise
        log = git("bisect", "log", cwd=repository)
    finally:
        git("bisect", "reset", cwd=repository)
    told = re.findall(r"^# ([\w ]+): \[(\w+)\] (.+)$", log, re.MULTILINE)
    judged = [
        (verdict, subject) for verdict, _, subject in told if verdict in {"good", "bad", "skip"}
    ]
    # The first two are the ends, as given; they were not judged.
    found = [(subject, commit) for verdict, commit, subject in told if "first bad" in verdict]
    return Bisection(
        tuple(judged[2:]),
        tuple(subject for subject, _ in found),
        tuple(commit for _, commit in found),
    )


def judge(case: Case, tree: Path, project: Path) -> int:
    """Return `GOOD` if the reproduction passes on `tree`, `BAD` if it fails, and `SKIP` if it
    cannot be run, as on a commit that cannot be imported.
    """
    reproduction = case.categories[0].file
    try:
        run = run_suite([reproduction], tree, project, "-m", "fail_to_pass", "-x")
    except TreeLacks:
        return SKIP
    outcomes = {test.outcome for test in run.tests}
    if outcomes == {"passed"}:
        return GOOD
    return BAD if "failed" in outcomes else SKIP


def main(arguments: Sequence[str]) -> int:
    """Judge the working directory, as `git bisect run` asks."""
    project, case = map(Path, arguments)
    try:
        check_origin()
        return judge(load_case(case), Path.cwd(), project)
    except Exception as error:
        # An exception that gets out would end with 1, and call an innocent commit bad.
        sys.stderr.write(f"{error}\n")
        return ABORT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
