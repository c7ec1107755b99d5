"""The post-mortem for tools that take no HTML: a Markdown file, and its actions as CSV.

Everything in them comes from the case and from the pages of one run.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from netra_incident.case import Case, Cause
from netra_incident.measuring.timeline import TIMES
from netra_incident.report.notebooks import code_cells
from netra_incident.report.page import Page, find_cell, headline
from netra_incident.table import Table

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=False,  # noqa: S701 - Markdown
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)

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
    writer.writerows((one.kind, one.what, "", "", "", one.verify) for one in case.actions)
    return text.getvalue()


def post_mortem(case: Case, pages: Sequence[Page]) -> str:
    """Return the post-mortem as Markdown.

    Raises `LookupError` as `write_minutes` does.
    """
    facts = (
        ("Severity", case.severity),
        ("Status", case.status),
        ("Detection", case.detection),
        ("Fingerprint", case.fingerprint),
    )
    return TEMPLATES.get_template("post-mortem.md.j2").render(
        case=case,
        facts=Table(("", ""), facts).markdown(),
        headline=headline(pages),
        causes=[(cause, _shown(cause, pages)) for cause in case.causes],
        timeline=_rehearsed(timeline(case, pages)).markdown(),
        actions=case.action_items._repr_markdown_(),
    )


def _evidence(page: Page, cell: str) -> str:
    return f"[{page.label}, cell {cell}]({page.name}.html#cell-{cell})"


def _shown(cause: Cause, pages: Sequence[Page]) -> list[str]:
    return [_evidence(find_cell(pages, name)[0], name) for name in cause.evidence]


def _rehearsed(entries: Sequence[Entry]) -> Table:
    rows = []
    for entry in entries:
        after = "not reached" if entry.at_s is None else f"+{entry.at_s:.2f} s"
        row = (entry.name, entry.what, f"rehearsed, {after}", _evidence(entry.page, entry.cell))
        rows.append(row)
    return Table(("milestone", "what", "when", "evidence"), rows)
