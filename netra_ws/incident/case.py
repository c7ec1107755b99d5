"""A case: the folder that holds all that is particular to one incident."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from netra_ws.errors import ConfigurationError

CASES = Path(__file__).parent / "cases"

REVISIONS = ("before", "buggy", "fixed")
"""The three tagged revisions of every case, in the order of their commits."""


class Harmless(Struct, frozen=True, forbid_unknown_fields=True):
    """A commit between the release and the incident that changes no behaviour.

    It appends `text` to `file`. With `broken` it leaves the package unimportable until the next
    commit, which takes `text` away again: histories have such commits, and a bisection meets them.
    """

    subject: str
    file: str
    text: str
    broken: bool = False

    def __post_init__(self) -> None:
        """Refuse a harmless change of the package, and a broken one of anything else."""
        if self.broken != self.file.startswith("netra_ws/"):
            raise ValueError(f"{self.subject!r}: only a broken commit changes netra_ws/")


class Tagged(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the three revisions that the incident is about; `file` and `text` as in `Harmless`."""

    tag: str
    subject: str
    body: str
    file: str | None = None
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse a change of the package: what it is at each tag, the patches say."""
        if self.file is not None and self.file.startswith("netra_ws/"):
            raise ValueError(f"{self.subject!r}: only a broken commit changes netra_ws/")


class Milestone(Struct, frozen=True, forbid_unknown_fields=True):
    """A point on the timeline; its time comes from a rehearsal, never from the file."""

    name: str
    what: str


class Action(Struct, frozen=True, forbid_unknown_fields=True):
    """Something to do so that it does not happen again, and the command that shows it done."""

    kind: Annotated[str, Meta(pattern="^(prevention|detection|mitigation)$")]
    what: str
    verify: str


class ActionItems(list[Action]):
    """Actions as a table; owner, due date and ticket stay blank until the meeting."""

    def __repr__(self) -> str:
        """Return how many there are of each kind."""
        kinds = Counter(action.kind for action in self)
        return ", ".join(f"{count} × {kind}" for kind, count in kinds.items())

    def _repr_markdown_(self) -> str:
        """Return the table for a notebook."""
        rows = [f"| {action.kind} | {action.what} | | | | `{action.verify}` |" for action in self]
        head = "| kind | action | owner | due | ticket | shown done by |\n|---|---|---|---|---|---|"
        return "\n".join([head, *rows])


class History(Struct, frozen=True, forbid_unknown_fields=True):
    """How the commits of a case are written; `start` is the Unix time of the first."""

    author: str
    email: str
    start: int
    release: str
    harmless: list[Harmless]
    tagged: Annotated[list[Tagged], Meta(min_length=3, max_length=3)]

    def __post_init__(self) -> None:
        """Refuse other tags, or another order of them."""
        if tuple(commit.tag for commit in self.tagged) != REVISIONS:
            raise ValueError(f"expected the tags {', '.join(REVISIONS)}, in this order")


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """One incident, as its `incident.toml` tells it."""

    id: str
    title: str
    severity: str
    status: str
    detection: str
    summary: str
    impact: str
    impact_source: str
    fingerprint: str
    fail_to_pass: list[str]
    pass_to_pass: list[str]
    hints: list[str]
    milestones: list[Milestone]
    actions: list[Action]
    history: History

    @property
    def action_items(self) -> ActionItems:
        """The actions as a table for the meeting."""
        return ActionItems(self.actions)

    def __repr__(self) -> str:
        """Return the head of the post-mortem in one line."""
        return f"#{self.id}: {self.title} ({self.severity}, {self.status})"

    def _repr_markdown_(self) -> str:
        """Return the head of the post-mortem for a notebook."""
        facts = {
            "Severity": self.severity,
            "Status": self.status,
            "Detection": self.detection,
            "Impact": f"{self.impact}, {self.impact_source}",
            "Fingerprint": self.fingerprint,
        }
        rows = "\n".join(f"| **{name}** | {value} |" for name, value in facts.items())
        return f"**{self.title}** (#{self.id})\n\n{self.summary}\n\n| | |\n|---|---|\n{rows}"


def case_folder(folder: Path | None = None) -> Path:
    """Return `folder`, or the folder of the one case that ships with the package."""
    return folder or next(path for path in sorted(CASES.iterdir()) if path.is_dir())


def load_case(folder: Path | None = None) -> Case:
    """Return the case in `folder`, or the one that ships with the package.

    Raises `ConfigurationError` if its `incident.toml` is missing or says something else than a
    `Case`.
    """
    path = case_folder(folder) / "incident.toml"
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Case)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"case {path.parent.name}: {error}") from error
