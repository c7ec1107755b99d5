"""Attempts at the fix that are none: incomplete ones, and injuries of another shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from netra_incident.case import Case, Revision
from netra_incident.history.checkout import GitFailed, git, scratch_checkout
from netra_ws.errors import ConfigurationError


@dataclass(frozen=True)
class Attempt:
    """A patch on a revision, that is not the fix."""

    name: str
    revision: Revision
    patch: str

    @contextmanager
    def tree(self) -> Iterator[Path]:
        """Give a temporary folder with the attempt in it."""
        with scratch_checkout(self.revision) as folder:
            if self.patch:
                try:
                    git("apply", "--whitespace=nowarn", "-", cwd=folder, stdin=self.patch.encode())
                except GitFailed as error:
                    msg = f"{self.name} does not apply to {self.revision.name}: {error}"
                    raise ConfigurationError(f"{msg}; renew the patch") from error
            yield folder


def _hunks(patch: str) -> tuple[str, list[str]]:
    """Return the head of a patch of one file, and its hunks."""
    head, *hunks = re.split(r"^(?=@@ )", patch, flags=re.MULTILINE)
    return head, hunks


def _place(hunk: str) -> str:
    """Return the function that a hunk is in, as its lines or else its heading name it."""
    before = hunk.partition("\n-")[0]
    names = re.findall(r"\bdef (\w+)", before)
    return str(names[-1]) if names else hunk.partition("\n")[0]


def partial_fixes(case: Case) -> list[Attempt]:
    """Return every subset of the hunks of the fix but the full one, the empty one first."""
    head, hunks = _hunks((case.folder / "fix.patch").read_text(encoding="utf-8"))
    attempts = []
    for size in range(len(hunks)):
        for subset in combinations(hunks, size):
            mended = ", ".join(map(_place, subset)) or "nothing"
            patch = head + "".join(subset) if subset else ""
            attempts.append(Attempt(f"mends {mended}", case.buggy, patch))
    return attempts


def injuries(case: Case) -> list[Attempt]:
    """Return the case's other wrong states, each a patch on `fixed`."""
    patches = sorted((case.folder / "injuries").glob("*.patch"))
    return [Attempt(path.stem, case.fixed, path.read_text(encoding="utf-8")) for path in patches]
