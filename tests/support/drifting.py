"""A small repository whose files say in comments which of their lines a drift check must list.

`# left` marks a caller that was left behind, `# maybe` one that may be somebody else's. A line
without a comment must not be listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from processes import git

from await_audit.drift import Drift, Flip, drift

IDENTITY = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")


class Repository:
    """A repository of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--initial-branch=main", cwd=folder)

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case None:
                    path.unlink()
                case str():
                    path.write_text(dedent(content), encoding="utf-8")
                case bytes():
                    path.write_bytes(content)

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        self.write(files or {})
        git("add", "--all", cwd=self.folder)
        git(*IDENTITY, "commit", "--quiet", "--allow-empty", "-m", message, cwd=self.folder)
        return git("rev-parse", "--short", "HEAD", cwd=self.folder)

    def drift(self, since: str = "start", *below: str) -> Drift:
        return drift([self.folder / name for name in below or (".",)], since)

    def marked(self, mark: str) -> set[tuple[str, int]]:
        return {
            (path.relative_to(self.folder).as_posix(), number)
            for path in self.folder.rglob("*.py")
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if re.search(rf"# {mark}\b", line)
        }


def listed(repository: Repository, found: Drift, *, certain: bool) -> set[tuple[str, int]]:
    return {
        (caller.path.relative_to(repository.folder.resolve()).as_posix(), caller.line)
        for flip in found.flips
        for caller in flip.callers
        if caller.certain is certain
    }


def check(repository: Repository, found: Drift) -> None:
    """Compare with the comments in the working tree."""
    assert found.unjudged == ()
    assert listed(repository, found, certain=True) == repository.marked("left")
    assert listed(repository, found, certain=False) == repository.marked("maybe")
    assert found.exit_code == bool(repository.marked("left"))


def only(found: Drift) -> Flip:
    (flip,) = found.flips
    return flip
