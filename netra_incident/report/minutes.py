"""The post-mortem for tools that take no HTML: a Markdown file, and its actions as CSV.

Everything in them comes from the case and from the pages of one run.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from netra_incident.case import Case, Cause
from netra_incident.measuring.timeline import TIMES
from netra_incident.report.notebooks import code_cells
from netra_incident.report.page import Page, find_cell, headline

POST_MORTEM = ("post-mortem.md", "the post-mortem as Markdown, for a wiki or a ticket")
ACTIONS = ("actions.csv", "its actions as a table, for a tracker")
"""The files, and what they are."""

COLUMNS = ("kind", "action", "owner", "due", "ticket", "verify")
"""The columns of the actions; owner, due date and ticket stay blank until the meeting."""


@dataclass(frozen=True)
class Entry:
    """A row of the timeline: what happened, the page and cell that prove it, and when it happened.

    `at_s` are seconds of the rehearsal among the pages, `None` if it did not get there.
    """

    name: str
    what: str
    page: Page
    cell: str
    at_s: float | None


def timeline(case: Case, pages: Sequence[Page]) -> list[Entry]:
    """Return the milestones of `case` that have evidence, as the rehearsal on `pages` reached them.

    Raises `LookupError` if their cell is on no page, or if no page rehearses them.
    """
    entries = []
    for milestone, at_s in zip(case.milestones, _times(case, pages), strict=True):
        if milestone.evidence is not None:
            page, cell = find_cell(pages, milestone.evidence)
            entries.append(Entry(milestone.name, milestone.what, page, cell.id, at_s))
    return entries


def _times(case: Case, pages: Sequence[Page]) -> list[float | None]:
    """Return the times of the milestones in s, as the first page with a rehearsal shows them."""
    for page in pages:
        for cell in code_cells(page.notebook):
            for output in cell.outputs:
                if times := output.get("metadata", {}).get(TIMES):
                    return list(times)
    if not case.milestones:
        return []
    raise LookupError("expected a page that rehearses the timeline, found none")


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
    """Return the timeline as a table."""
    rows = []
    for entry in entries:
        after = "not reached" if entry.at_s is None else f"+{entry.at_s:.2f} s"
        row = (entry.name, entry.what, f"rehearsed, {after}", _evidence(entry.page, entry.cell))
        rows.append(row)
    said = (
        "The times are *rehearsed*, on one machine: seconds since the broken backend listened. "
        "They hold what the machine did, and no person who has to notice, think or decide."
    )
    return f"{said}\n\n{_table(('milestone', 'what', 'when', 'evidence'), rows)}"


def _list(title: str, items: Iterable[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {item}" for item in items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
