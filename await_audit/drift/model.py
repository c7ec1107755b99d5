"""What the drift check reports: functions whose colour changed, and who was left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from await_audit.finding import Kind, Unjudged
from await_audit.git import Commit
from await_audit.resolver.colour import Colour


@dataclass(frozen=True, slots=True, order=True)
class Caller:
    """A place that uses a function as it was before its colour changed.

    `how` is the predicate of a sentence about it that ends with the function's name. `certain`
    says that the place resolves to that function and to nothing else.
    """

    path: Path
    line: int
    end_line: int
    how: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """A function whose colour is another one than at the revision.

    `commit` made it so; without one it is not committed yet, unless `unattributed` says why the
    commit could not be named.
    """

    path: Path
    line: int
    qualname: str
    was: Colour
    now: Colour
    commit: Commit | None = None
    unattributed: str | None = None
    callers: tuple[Caller, ...] = ()

    @property
    def kind(self) -> Kind:
        """Which of the two mistakes a caller makes that is left behind."""
        return Kind.UNAWAITED if self.was is Colour.SYNC else Kind.AWAIT_SYNC

    @property
    def left_behind(self) -> tuple[Caller, ...]:
        """The callers that are certain."""
        return tuple(caller for caller in self.callers if caller.certain)

    @property
    def possible(self) -> tuple[Caller, ...]:
        """The callers that may be others'."""
        return tuple(caller for caller in self.callers if not caller.certain)

    @property
    def since(self) -> str:
        """When it changed, as words that follow a verb."""
        if self.commit is not None:
            return f"in {self.commit}"
        return self.unattributed or "and is not committed yet"


@dataclass(frozen=True, slots=True)
class Drift:
    """The outcome: flips in order of path and line, and what could not be judged.

    `ignored_by_git` is how many Python files were left out because git ignores them.
    """

    since: str
    base: Commit
    flips: tuple[Flip, ...]
    unjudged: tuple[Unjudged, ...] = ()
    ignored_by_git: int = 0

    @property
    def exit_code(self) -> int:
        """0 nobody is left behind, 1 somebody is, 2 nobody but something could not be judged."""
        if any(flip.left_behind for flip in self.flips):
            return 1
        return 2 if self.unjudged else 0
