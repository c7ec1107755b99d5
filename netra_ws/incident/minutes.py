"""The post-mortem for tools that take no HTML: a Markdown file, and its actions as CSV.

Everything in them comes from the case and from the pages of one run.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path

from nbformat import NotebookNode

from netra_ws.incident.case import Case, Cause
from netra_ws.incident.page import Page, find_cell, headline

POST_MORTEM = ("post-mortem.md", "the post-mortem as Markdown, for a wiki or a ticket")
ACTIONS = ("actions.csv", "its actions as a table, for a tracker")
"""The files, and what they are."""

COLUMNS = ("kind", "action", "owner", "due", "ticket", "verify")
"""The columns of the actions; owner, due date and ticket stay blank until the meeting."""


@dataclass(frozen=True)
class Entry:
    """A row of the timeline: what happened, the page and cell that played it, and when that ended.

    `at` is `None` if the run was not timed.
    """

    name: str
    what: str
    page: Page
    cell: str
    at: datetime | None


def timeline(case: Case, pages: Sequence[Page]) -> list[Entry]:
    """Return the milestones of `case` that have evidence, as `pages` played them.

    Raises `LookupError` if their cell is on no page.
    """
    entries = []
    for milestone in case.milestones:
        if milestone.evidence is not None:
            page, cell = find_cell(pages, milestone.evidence)
            entries.append(Entry(milestone.name, milestone.what, page, cell.id, ended(cell)))
    return entries


def ended(cell: NotebookNode) -> datetime | None:
    """Return when a code cell ended, or `None` if its run was not timed."""
    at = cell.metadata.get("execution", {}).get("shell.execute_reply")
    return datetime.fromisoformat(at) if at else None


def write_minutes(case: Case, pages: Sequence[Page], folder: Path) -> None:
    """Write both files into `folder`.

    Raises `LookupError` if no page compares before and after, or if the case names a cell as
    evidence that no page has.
    """
    (folder / POST_MORTEM[0]).write_text(post_mortem(case, pages), encoding="utf-8")
    # The csv module ends lines by itself (RFC 4180).
    (folder / ACTIONS[0]).write_text(actions_csv(case), encoding="utf-8", newline="")


def actions_csv(case: Case) -> str:
    """Return the actions as CSV."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(_actions(case))
    return text.getvalue()


def post_mortem(case: Case, pages: Sequence[Page]) -> str:
    """Return the post-mortem as Markdown.

    Raises `LookupError` as `write_minutes` does.
    """
    measured = headline(pages)
    facts = [
        ("Severity", case.severity),
        ("Status", case.status),
        ("Detection", case.detection),
        ("Fingerprint", case.fingerprint),
    ]
    page = f"[{measured.page.label}]({measured.page.name}.html)"
    actions = [(*row[:-1], f"`{row[-1]}`") for row in _actions(case)]
    parts = [
        f"# Post-mortem of #{case.id}: {case.title}",
        _table(("", ""), facts),
        f"## Summary\n\n{case.summary}",
        f"## Impact\n\n{case.impact}, {case.impact_source}.",
        f"Measured in this run, on real servers on one machine ({page}):",
        _table(("", *measured.titles), measured.rows),
        f"## Trigger\n\n{case.trigger}",
        "## Contributing causes",
        *(_cause(cause, pages) for cause in case.causes),
        f"## Resolution\n\n{case.resolution}",
        "## Lessons",
        _list("Went well", case.lessons.well),
        _list("Went wrong", case.lessons.wrong),
        _list("Where we were lucky", case.lessons.lucky),
        "## Timeline",
        _rehearsed(timeline(case, pages)),
        "## Actions",
        _table((*COLUMNS[:-1], "shown done by"), actions),
    ]
    return "\n\n".join(parts) + "\n"


def _actions(case: Case) -> list[tuple[str, ...]]:
    return [(action.kind, action.what, "", "", "", action.verify) for action in case.actions]


def _evidence(page: Page, cell: str) -> str:
    return f"[{page.label}, cell {cell}]({page.name}.html#cell-{cell})"


def _cause(cause: Cause, pages: Sequence[Page]) -> str:
    shown = (_evidence(find_cell(pages, name)[0], name) for name in cause.evidence)
    return f"**{cause.question}** {cause.answer} Shown by {' and '.join(shown)}."


def _rehearsed(entries: Sequence[Entry]) -> str:
    """Return the timeline as a table; its times count from its first row."""
    times = [entry.at for entry in entries if entry.at is not None]
    rows = []
    for entry in entries:
        after = f"+{(entry.at - times[0]).total_seconds():.1f} s" if entry.at else "not timed"
        row = (entry.name, entry.what, f"rehearsed, {after}", _evidence(entry.page, entry.cell))
        rows.append(row)
    start = f", which is {times[0]:%Y-%m-%d %H:%M:%S} UTC" if times else ""
    said = (
        "The times are *rehearsed*: when each cell ended in one run of the notebooks, counted from "
        f"the first row{start}. They hold what the machine did, and no person who has to notice, "
        "think or decide."
    )
    return f"{said}\n\n{_table(('milestone', 'what', 'when', 'evidence'), rows)}"


def _list(title: str, items: Iterable[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {item}" for item in items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
