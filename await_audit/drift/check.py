"""The drift check: what changed its colour since a revision, and who was left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from await_audit.drift.callers import Search
from await_audit.drift.flipped import Flipped
from await_audit.drift.history import Attribution, Comparison
from await_audit.drift.model import Drift, Flip
from await_audit.errors import AuditError
from await_audit.files import find_ignored, nothing
from await_audit.finding import Unjudged
from await_audit.git import Change, Repository
from await_audit.resolver.functions import Unparsable
from await_audit.resolver.modules import Tree
from await_audit.resolver.nodes import room_for_calls


@room_for_calls()
def drift(paths: Sequence[Path], since: str) -> Drift:
    """Compare the working tree that `paths` lie in with a revision of its repository.

    The outcome has the callers below `paths`, and the flips that lie there or have such a caller.
    Its paths are absolute. Raises `AuditError` if there is no path, repository, revision or git, if
    the paths lie in several repositories, if there is and was no Python file there, or if the
    revision has nothing in common with HEAD.
    """
    if not paths:
        raise AuditError("--since needs a path: expected a file or a folder, got none")
    below = []
    for path in paths:
        if not path.exists():
            raise AuditError(f"{path}: no such file or folder")
        below.append(path.resolve())
    repository, *others = [Repository(path) for path in below]
    for other, path in zip(others, paths[1:], strict=True):
        if other.root != repository.root:
            msg = f"{path} is not in the repository of {paths[0]}: audit one at a time"
            raise AuditError(msg)
    return _Check(repository, paths, below, since).run()


class _Check:
    def __init__(
        self, repository: Repository, given: Sequence[Path], below: Sequence[Path], since: str
    ) -> None:
        self._repository = repository
        self._given = given
        self._below = below
        self._since = since
        self._read = cache(self._read_file)

    def run(self) -> Drift:
        revision, base = self._repository.base(self._since)
        changes = self._repository.changes(revision)
        tree = Tree(self._repository.python_files(self._below), self._read)
        ignored = find_ignored(self._below) - {self._absolute(path) for path in tree.paths}
        touched = {path for one in changes for path in (one.before, one.after) if path is not None}
        if not any(self._is_below(self._absolute(path)) for path in touched.union(tree.paths)):
            raise nothing(self._given, ignored)
        comparison = Comparison(self._repository, tree, revision, self._since, changes)
        flipped = comparison.run()
        search = Search(flipped, tree, self._read, _Before(self._repository, changes).had)
        search.run()
        attribution = Attribution(self._repository, revision)
        flips = [flip for one in flipped if (flip := self._flip(one, attribution)) is not None]
        unjudged = [
            *comparison.unjudged,
            *self._submodules(changes),
            *(Unjudged(Path(path), why.line, str(why)) for path, why in tree.unread.items()),
        ]
        return Drift(
            self._since,
            base,
            tuple(sorted(flips, key=lambda flip: (flip.path, flip.line))),
            tuple(
                Unjudged(self._absolute(one.path), one.line, one.why)
                for one in sorted(unjudged, key=lambda one: (one.path, one.line or 0))
            ),
            len(ignored),
        )

    def _submodules(self, changes: Iterable[Change]) -> Iterator[Unjudged]:
        """Yield the submodules that changed: each is a repository of its own."""
        why = "is a submodule that changed; audit it by itself, with a revision of its own"
        for change in changes:
            path = change.after or change.before
            if change.is_submodule and path and self._is_below(self._absolute(path)):
                yield Unjudged(Path(path), None, why)

    def _read_file(self, path: str) -> bytes:
        try:
            return (self._repository.root / path).read_bytes()
        except OSError as error:
            raise Unparsable(f"cannot be read: {error.strerror}") from error

    def _absolute(self, path: Path | str) -> Path:
        return self._repository.root / path

    def _is_below(self, path: Path) -> bool:
        return any(path == one or one in path.parents for one in self._below)

    def _flip(self, one: Flipped, attribution: Attribution) -> Flip | None:
        callers = [replace(caller, path=self._absolute(caller.path)) for caller in one.callers]
        kept = tuple(sorted(caller for caller in callers if self._is_below(caller.path)))
        path = self._absolute(one.path)
        if not kept and not self._is_below(path):
            return None
        commit, unattributed = attribution.of(one)
        was, now = one.was.colour, one.now.colour
        return Flip(path, one.now.line, one.now.qualname, was, now, commit, unattributed, kept)


class _Before:
    """What stood in the files of the working tree at the revision."""

    def __init__(self, repository: Repository, changes: Sequence[Change]) -> None:
        self._repository = repository
        self._changes = {one.after: one for one in changes if one.after is not None}
        self._texts: dict[str, str] = {}

    def had(self, path: str, text: str) -> bool:
        """Whether a file, which may have moved since, held these lines; indentation aside."""
        change = self._changes.get(path)
        if change is None:
            return True
        if change.blob is None:
            return False
        if path not in self._texts:
            content = self._repository.blobs([change.blob]).get(change.blob, b"")
            self._texts[path] = _stripped(content.decode("utf-8", "replace"))
        return _stripped(text) in self._texts[path]


def _stripped(text: str) -> str:
    return "".join(f"\n{line.strip()}" for line in text.splitlines()) + "\n"
