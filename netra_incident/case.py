"""A case: the folder that holds all that is particular to one incident."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from netra_incident.table import UNLIMITED, Table, tally
from netra_ws.decoding import not_utf8
from netra_ws.errors import ConfigurationError

CASES = Path(__file__).parent / "cases"

REVISIONS = ("before", "buggy", "fixed")
"""The three tagged revisions of every case, in the order of their commits."""

BROKEN, MENDED = "buggy", "fixed"
"""The two sides of the fix."""

Columns = tuple[int, int, tuple[int, ...], str]
"""What a failure shows: close code, events, HTTP statuses of the endpoints, words in the log."""


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
        """Refuse a change of the package, which only the patches make."""
        if self.file is not None and self.file.startswith("netra_ws/"):
            raise ValueError(f"{self.subject!r}: only a broken commit changes netra_ws/")


class Milestone(Struct, frozen=True, forbid_unknown_fields=True):
    """A point on the timeline; its time comes from a rehearsal, never from the file.

    `evidence` is the id of the cell of a notebook that plays it.
    """

    name: str
    what: str
    evidence: str | None = None


class Cause(Struct, frozen=True, forbid_unknown_fields=True):
    """A contributing cause, asked as how or what, with the ids of the cells that show it.

    Never who: https://sre.google/sre-book/postmortem-culture/
    """

    question: Annotated[str, Meta(pattern=r"^(How|What) .*\?$")]
    answer: str
    evidence: list[str]


class Lessons(Struct, frozen=True, forbid_unknown_fields=True):
    """What went well, what went wrong, and where it was luck."""

    well: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lucky: list[str] = field(default_factory=list)


class Category(Struct, frozen=True, forbid_unknown_fields=True):
    """A category of the case's tests: its file, and what was expected of it before and after.

    `before` and `after` are the words of whoever asked for the tests; `note` says where what is
    measured differs from them.
    """

    name: str
    file: str
    before: str
    after: str
    note: str


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
        head = ("kind", "action", "owner", "due", "ticket", "shown done by")
        rows = [(one.kind, one.what, "", "", "", f"`{one.verify}`") for one in self]
        return Table(head, rows).markdown()


class TriageRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to fail: what it shows, and what to do next.

    `patch` makes it of `fixed`, as a path from the folder of the case; without one it is `buggy`.
    `endpoints` are the HTTP statuses of health, configuration and statistics. `log` are the words
    to look for, separated by commas: one line has them all.
    """

    name: str
    close_code: int
    events: int
    endpoints: tuple[int, int, int]
    log: str
    next: str
    patch: str | None = None

    @property
    def columns(self) -> Columns:
        """What tells this failure from the others."""
        return self.close_code, self.events, self.endpoints, self.log

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as a reader sees it; its head is `TriageTable.HEAD`."""
        codes = str(self.close_code), str(self.events)
        return self.name, *codes, tally(self.endpoints), self.log, self.next


class TriageTable(list[TriageRow]):
    """Ways to fail, side by side: for whoever is on call."""

    HEAD = ("failure", "close code", "events", "endpoints", "words in one line of the log", "next")

    def __repr__(self) -> str:
        """Return the table as plain text."""
        return repr(self._table)

    def _repr_markdown_(self) -> str:
        """Return the table for a notebook, and for the runbook."""
        return self._table.markdown()

    @property
    def _table(self) -> Table:
        return Table(self.HEAD, [row.cells for row in self], width=UNLIMITED)


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


class Revision(NamedTuple):
    """A state of the backend in the history of a case."""

    case: Case
    name: str


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """One incident, as the `incident.toml` in its folder tells it.

    `post_mortem` marks the one that the post-mortem tells, among those that ship.
    """

    folder: Path
    id: str
    title: str
    severity: str
    status: str
    detection: str
    summary: str
    impact: str
    impact_source: str
    fingerprint: str
    categories: Annotated[list[Category], Meta(min_length=1)]
    milestones: list[Milestone]
    actions: list[Action]
    history: History
    trigger: str = ""
    resolution: str = ""
    causes: list[Cause] = field(default_factory=list)
    lessons: Lessons = field(default_factory=Lessons)
    triage: list[TriageRow] = field(name="fingerprints", default_factory=list)
    post_mortem: bool = False

    @property
    def before(self) -> Revision:
        """The healthy past."""
        return Revision(self, "before")

    @property
    def buggy(self) -> Revision:
        """The broken side of the fix."""
        return Revision(self, BROKEN)

    @property
    def fixed(self) -> Revision:
        """The mended side of the fix, which is the package that ships."""
        return Revision(self, MENDED)

    def revision(self, name: str) -> Revision:
        """Return a revision by its name; raises `ConfigurationError` if there is none."""
        if name not in REVISIONS:
            expected = ", ".join(REVISIONS)
            raise ConfigurationError(f"unknown revision {name!r}: expected one of {expected}")
        return Revision(self, name)

    @property
    def action_items(self) -> ActionItems:
        """The actions as a table for the meeting."""
        return ActionItems(self.actions)

    @property
    def fingerprints(self) -> TriageTable:
        """What each way to fail shows, as a table."""
        return TriageTable(self.triage)

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
        rows = [(f"**{name}**", value) for name, value in facts.items()]
        table = Table(("", ""), rows).markdown()
        return f"**{self.title}** (#{self.id})\n\n{self.summary}\n\n{table}"


# What msgspec knows of a type is made at its first use, and two threads that make it at once end
# the process (msgspec 0.22). So it is made here, while only one imports.
msgspec.json.Decoder(Case)


def load_case(folder: Path) -> Case:
    """Return the case in `folder`.

    Raises `ConfigurationError` if its `incident.toml` is missing or says something else than a
    `Case`.
    """
    try:
        told: dict[str, Any] = msgspec.toml.decode((folder / "incident.toml").read_text("utf-8"))
        if "folder" in told:
            raise msgspec.ValidationError("expected no `folder`: it is where the file lies")
        return msgspec.convert({**told, "folder": folder}, Case)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"case {folder.name}: {not_utf8(error)}") from error
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"case {folder.name}: {error}") from error


def find_case(name: str, cases: Path = CASES) -> Case:
    """Return a case that ships, by its name; raises `ConfigurationError` if there is none."""
    folders = {folder.name: folder for folder in _folders(cases)}
    if name not in folders:
        raise ConfigurationError(f"no case {name!r}: expected one of {', '.join(folders)}")
    return load_case(folders[name])


def told_case(cases: Path = CASES) -> Case:
    """Return the case that the post-mortem tells.

    Raises `ConfigurationError` unless exactly one says in its `incident.toml` that it is that one.
    """
    found = [case for case in map(load_case, _folders(cases)) if case.post_mortem]
    if len(found) != 1:
        names = ", ".join(case.folder.name for case in found) or "none"
        msg = f"expected one case with `post_mortem = true` in its incident.toml, got {names}"
        raise ConfigurationError(f"{msg}; mark one, or choose with --case")
    return found[0]


def _folders(cases: Path) -> list[Path]:
    return sorted(path for path in cases.iterdir() if (path / "incident.toml").is_file())
