"""Which functions have another colour than at a revision, and which commit made it so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from await_audit.drift.flipped import Flipped
from await_audit.finding import Unjudged
from await_audit.git import Change, Commit, Repository
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.functions import Unparsable, functions, parse
from await_audit.resolver.modules import Tree
from await_audit.resolver.resolution import Resolver
from await_audit.resolver.values import ClassValue, FunctionValue

VERSIONS = 500
"""How many commits of one file are looked at."""

NOT_HERE = "its content is not in this clone, which is partial; git fetch --refetch --no-filter"


@dataclass(eq=False, slots=True)
class Comparison:
    """Finds the functions that changed colour between a revision and the working tree."""

    repository: Repository
    tree: Tree
    revision: str
    label: str
    changes: tuple[Change, ...]
    unjudged: list[Unjudged] = field(default_factory=list)

    def run(self) -> list[Flipped]:
        """Compare every file that differs; what cannot be parsed goes to `unjudged`."""
        resolver = Resolver(self.tree)
        blobs = self.repository.blobs([one.blob for one in self.changes if one.blob])
        found: dict[FunctionValue, Flipped] = {}
        for change in self.changes:
            if change.before is None or change.blob is None or not change.before.endswith(".py"):
                continue
            at = Path(change.after or change.before)
            if change.blob not in blobs:
                why = f"at {self.label}: {NOT_HERE}"
                self.unjudged.append(Unjudged(at, None, why))
                continue
            try:
                before = functions(parse(blobs[change.blob]))
            except Unparsable as error:
                self.unjudged.append(Unjudged(at, None, f"at {self.label}: {error}"))
                continue
            for function in before.values():
                for path, now in self._now(change, function, resolver):
                    if now.colour is not function.colour:
                        flipped = Flipped(path, function, now)
                        found.setdefault(flipped.value, flipped)
        return list(found.values())

    def _now(
        self, change: Change, was: Function, resolver: Resolver
    ) -> Iterator[tuple[str, Function]]:
        """Yield the function that has the name now that `was` had, here or moved elsewhere."""
        if change.after is not None and change.after in self.tree.paths:
            module = self.tree.module(change.after)
            if module is None:
                return  # the tree has noted why
            if was.qualname in module.functions:
                yield change.after, module.functions[was.qualname]
                return
        top, _, rest = was.qualname.partition(".")
        assert change.before is not None
        for name in self.tree.names(change.before):
            path = self.tree.find(name, change.before)
            module = self.tree.module(path) if path else None
            if module is None or top not in module.scope.bindings:
                continue
            for value in resolver.name(top, module.scope, module):
                match value:
                    case FunctionValue() if not rest:
                        moved, qualname = value.path, value.qualname
                    case ClassValue() if rest:
                        moved, qualname = value.path, f"{value.qualname}.{rest}"
                    case _:
                        continue
                target = self.tree.module(moved)
                if target is not None and qualname in target.functions:
                    yield moved, target.functions[qualname]
            return


class Attribution:
    """Names the commits that changed the colours of functions."""

    def __init__(self, repository: Repository, revision: str) -> None:
        self._repository = repository
        self._revision = revision
        self._moved = {
            change.after: change.before for change in repository.changes("HEAD") if change.after
        }
        self._colours: dict[str, dict[str, Colour]] = {}
        self._logs: dict[tuple[str, ...], list[tuple[Commit, Change]]] = {}

    def of(self, flipped: Flipped) -> tuple[Commit | None, str | None]:
        """Return the commit, or `None` and, unless it is just not committed yet, why there is none.

        It is the newest one after which the function has the colour that it has now and before
        which it had another one.
        """
        path = self._moved.get(flipped.path, flipped.path)
        blob = self._repository.blob_at_head(path) if path is not None else None
        if path is None or blob is None or self._colour(blob, flipped) is not flipped.now.colour:
            return None, None
        for extra in ((), ("--first-parent", "--diff-merges=first-parent")):
            commit = self._flipping(self._log(path, *extra), flipped)
            if commit is not None:
                return commit, None
        return None, f"in a commit that the last {VERSIONS} of {path} do not show"

    def _log(self, path: str, *extra: str) -> list[tuple[Commit, Change]]:
        key = (path, *extra)
        if key not in self._logs:
            log = self._repository.log(path, self._revision, *extra)
            self._logs[key] = list(islice(log, VERSIONS))
        return self._logs[key]

    def _flipping(self, log: list[tuple[Commit, Change]], flipped: Flipped) -> Commit | None:
        came_with = None
        for commit, change in log:
            after = self._colour(change.now, flipped)
            before = self._colour(change.blob, flipped)
            if after is flipped.now.colour and before is not after:
                if before is not None:
                    return commit
                came_with = commit  # it was not in this file before: moved here, and flipped
        return came_with

    def _colour(self, blob: str | None, flipped: Flipped) -> Colour | None:
        """Return the colour in one version; `None` if it is not there or that cannot be parsed."""
        if blob is None:
            return None
        if blob not in self._colours:
            content = self._repository.blobs([blob]).get(blob, b"")
            try:
                found = functions(parse(content))
            except Unparsable:
                found = {}
            self._colours[blob] = {name: one.colour for name, one in found.items()}
        return self._colours[blob].get(flipped.now.qualname)
