"""Every link of what is written about the project leads to a file and a heading that exist."""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from netra_incident.report.hypertext import Heading, github_anchor, headings, lab_anchor, links
from netra_incident.report.markup import finish, report_link
from netra_incident.report.notebooks import code_cells, find_notebooks, read_notebook

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
    *sorted((ROOT / "notebooks").glob("*.md")),
    *find_notebooks(ROOT / "notebooks"),
]


@cache
def written(path: Path) -> str:
    """Return the Markdown of a file; of a notebook, that of its cells and of their outputs."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    notebook = read_notebook(path)
    parts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in code_cells(notebook):
        parts += [output.get("data", {}).get("text/markdown", "") for output in cell.outputs]
    return "\n\n".join(parts)


@cache
def headed(path: Path) -> list[Heading]:
    return headings(written(path))


def fault(target: str, document: Path) -> str | None:
    """Return what is wrong with a link of `document`, or `None`.

    A notebook's headings have the ids of JupyterLab, those of a Markdown file the ones of GitHub;
    a Markdown file beside the notebooks is read in both.
    """
    parts = urlsplit(target)
    if parts.scheme:
        return None if parts.scheme == "https" else f"{target}: expected https or a path"
    path = (document.parent / parts.path).resolve() if parts.path else document
    if not path.exists():
        return f"{target}: no such file"
    if not parts.fragment:
        return None
    if path.suffix not in {".md", ".ipynb"}:
        return f"{target}: only a page has headings"
    wanted, lab = unquote(parts.fragment), path.suffix == ".ipynb"
    known = headed(path)
    if not any(wanted == one.anchor if lab else one.answers(wanted) for one in known):
        return (
            f"{target}: no such heading; there are {', '.join(f'#{one.anchor}' for one in known)}"
        )
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    faults = [fault(target, path) for target in links(written(path))]
    assert [one for one in faults if one] == []


def test_links_are_found() -> None:
    """Guards the test above: where nothing is found, nothing is wrong."""
    assert sum(len(links(written(path))) for path in DOCUMENTS) > 40
    assert ROOT / "runbook.md" in DOCUMENTS


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("# One `word`, twice\n\n## What it says: nothing\n")
    (tmp_path / "b.png").write_bytes(b"")
    return tmp_path / "c.md"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("a.md", None),
        ("b.png", None),
        ("https://example.org/x#y", None),
        ("a.md#one-word-twice", None),
        ("a.md#One-word,-twice", None),
        ("a.md#What-it-says%3A-nothing", None),
        ("a.md#two-words", "no such heading; there are #One-word,-twice"),
        ("z.md", "no such file"),
        ("b.png#part", "only a page has headings"),
        ("http://example.org", "expected https"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(target: str, said: str | None, pages: Path) -> None:
    told = fault(target, pages)
    assert told is None if said is None else said in str(told)


def test_links_in_code_are_none_and_those_in_html_are() -> None:
    text = '`[a](b)`\n\n```\n[c](d)\n```\n\n<a href="e">e</a> [f](g#h) ![i](j.png)\n'
    assert links(text) == ["e", "g#h", "j.png"]


def test_the_ids_of_a_heading_are_those_of_jupyterlab_and_of_github() -> None:
    assert lab_anchor("A hundred sessions, at 95 %") == "A-hundred-sessions,-at-95-%"
    assert github_anchor("A hundred sessions, at 95 %") == "a-hundred-sessions-at-95-"


def test_no_level_is_skipped_and_equal_headings_are_numbered() -> None:
    found = headings("## First\n\n# Again\n\n#### Deep\n\n# Again\n")
    assert [(one.level, one.anchor) for one in found] == [
        (1, "First"),
        (2, "Again"),
        (3, "Deep"),
        (2, "Again-2"),
    ]


def test_links_between_pages_lead_to_pages_of_the_report() -> None:
    anchors = {"02-b.ipynb": headings("# B\n\n## A hundred"), "glossary.md": headings("# Terms")}
    html = (
        '<h1>A</h1><a href="02-b.ipynb#A-hundred">1</a><a href="glossary.md#terms">2</a>'
        '<a href="#A">3</a><a href="../runbook.md">4</a><a href="https://x.example/">5</a>'
    )
    body, found = finish(html, anchors, "01-a.ipynb")
    assert [heading.anchor for heading in found] == ["A"]
    for href in ("02-b.html#A-hundred", "glossary.html#Terms", "https://x.example/"):
        assert f'href="{href}"' in body
    assert "runbook" not in body
    assert report_link("02-b.ipynb", anchors) == "02-b.html"
    assert report_link("#a-hundred", anchors, "02-b.ipynb") == "#A-hundred"
