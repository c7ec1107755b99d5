"""The post-mortem as Markdown and its actions as CSV, from the case and from measured pages."""

import csv
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from netra_incident.case import Case, told_case
from netra_incident.measuring.comparison import MIME_TYPE
from netra_incident.measuring.timeline import TIMES
from netra_incident.report.hypertext import headings, links
from netra_incident.report.minutes import COLUMNS, actions_csv, post_mortem, timeline, write_minutes
from netra_incident.report.notebooks import find_notebooks, read_notebook
from netra_incident.report.page import Page, find_cell

ROOT = Path(__file__).parents[2]
CASE = told_case()
PAGES = [Page(path.stem, read_notebook(path)) for path in find_notebooks(ROOT / "notebooks")]


def cell(name: str, times: list[float | None] | None = None, **data: Any) -> NotebookNode:
    metadata = {TIMES: times} if times else {}
    output = new_output("execute_result", data, execution_count=1, metadata=metadata)
    return new_code_cell("1", id=name, outputs=[output] if data or times else [])


def page(*cells: NotebookNode) -> Page:
    return Page("02-all", new_notebook(cells=list(cells)))


TABLE = {MIME_TYPE: {"titles": ["buggy", "fixed"], "rows": [["sessions | done", "0", "7"]]}}


def toy(**changes: Any) -> Case:
    return msgspec.structs.replace(CASE, causes=[], **changes)


def test_every_evidence_of_the_case_is_a_cell_of_a_notebook() -> None:
    assert all(milestone.evidence for milestone in CASE.milestones)
    assert all(cause.evidence for cause in CASE.causes)
    for name in [
        *(milestone.evidence for milestone in CASE.milestones),
        *(name for cause in CASE.causes for name in cause.evidence),
    ]:
        assert find_cell(PAGES, str(name))[1].cell_type == "code"


def test_the_case_says_what_a_post_mortem_asks_for() -> None:
    assert CASE.trigger
    assert CASE.resolution
    assert len(CASE.causes) >= 3
    assert CASE.lessons.well
    assert CASE.lessons.wrong
    assert CASE.lessons.lucky


def words(text: str) -> str:
    """Return the words of a Markdown text, without links and line breaks."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[`*]", "", plain).split())


def test_page_00_and_the_case_say_the_same() -> None:
    cells = (cell for cell in PAGES[0].notebook.cells if cell.cell_type == "markdown")
    source = "\n\n".join(cell.source for cell in cells)
    assert re.findall(r"^\*\*(.+\?)\*\*", source, re.MULTILINE) == [
        cause.question for cause in CASE.causes
    ]
    said = [cause.answer for cause in CASE.causes]
    said += [line for kind in ("well", "wrong", "lucky") for line in getattr(CASE.lessons, kind)]
    told = words(source).casefold()
    assert [one for one in said if one.rstrip(".").casefold() not in told] == []


def test_the_markdown_has_every_part_in_order() -> None:
    parts = [heading.text for heading in headings(post_mortem(CASE, PAGES))]
    assert parts[0].endswith(CASE.title)
    assert parts[1:] == [
        "Summary",
        "Impact",
        "Trigger",
        "Contributing causes",
        "Resolution",
        "Lessons",
        "Timeline",
        "Actions",
    ]


def test_all_that_the_case_says_is_in_the_markdown() -> None:
    text = post_mortem(CASE, PAGES)
    said = [CASE.severity, CASE.status, CASE.detection, CASE.summary, CASE.impact]
    said += [CASE.impact_source, CASE.fingerprint, CASE.trigger, CASE.resolution]
    said += [words for cause in CASE.causes for words in (cause.question, cause.answer)]
    said += [*CASE.lessons.well, *CASE.lessons.wrong, *CASE.lessons.lucky]
    said += [milestone.what for milestone in CASE.milestones]
    said += [f"| {one.kind} | {one.what} |  |  |  | `{one.verify}` |" for one in CASE.actions]
    assert [words for words in said if words not in text] == []


def test_the_headline_is_that_of_the_run_and_not_of_the_case() -> None:
    text = post_mortem(toy(milestones=[]), [page(cell("a", **TABLE))])
    assert "|  | buggy | fixed |\n| --- | --- | --- |\n| sessions \\| done | 0 | 7 |" in text


def test_every_link_of_the_markdown_leads_to_a_cell(tmp_path: Path) -> None:
    cells = {f"{page.name}.html#cell-{cell.id}" for page in PAGES for cell in page.notebook.cells}
    pages = {f"{page.name}.html" for page in PAGES}
    found = links(post_mortem(CASE, PAGES))
    assert len(found) > len(CASE.milestones)
    assert set(found) <= cells | pages


def test_the_times_are_those_of_the_rehearsal() -> None:
    milestones = [
        msgspec.structs.replace(CASE.milestones[0], evidence="a"),
        msgspec.structs.replace(CASE.milestones[1], evidence="b"),
        msgspec.structs.replace(CASE.milestones[2], evidence="c"),
    ]
    ran = page(cell("a", **TABLE), cell("b", times=[0.0, 3.25, None]), cell("c"))
    text = post_mortem(toy(milestones=milestones), [ran])
    assert "| rehearsed, +0.00 s | [02 All, cell a](02-all.html#cell-a) |" in text
    assert "| rehearsed, +3.25 s | [02 All, cell b]" in text
    assert "| rehearsed, not reached |" in text


def test_a_run_without_a_rehearsal_is_told() -> None:
    with pytest.raises(LookupError, match="expected a page that rehearses the timeline"):
        timeline(CASE, [page(cell("a", **TABLE))])


def test_a_cell_that_is_no_more_is_told() -> None:
    milestones = [msgspec.structs.replace(CASE.milestones[0], evidence="gone")]
    with pytest.raises(LookupError, match="expected a cell gone in a notebook"):
        timeline(toy(milestones=milestones), [page(cell("a", times=[0.0]))])


def test_the_actions_can_be_read_back(tmp_path: Path) -> None:
    actions = [
        msgspec.structs.replace(CASE.actions[0], what='Say "no", twice;\nthen go', verify="a, b"),
        *CASE.actions[1:],
    ]
    case = toy(actions=actions, milestones=[])
    write_minutes(case, [page(cell("a", **TABLE))], tmp_path)
    with (tmp_path / "actions.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert tuple(head) == COLUMNS == ("kind", "action", "owner", "due", "ticket", "verify")
    assert rows == [[one.kind, one.what, "", "", "", one.verify] for one in actions]
    assert "\r\n" in actions_csv(case)
    assert (tmp_path / "post-mortem.md").read_text(encoding="utf-8").startswith("# Post-mortem")
