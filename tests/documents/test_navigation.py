"""The bars between the notebooks: generated, current, and the last cell of each."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from netra_incident.report.navigation import bar, is_bar, label, set_bar
from netra_incident.report.notebooks import build_notebook, digests, find_notebooks, read_notebook
from netra_incident.report.page import Page

ROOT = Path(__file__).parents[2]
NAMES = ("00-all.ipynb", "02-find-it.ipynb", "05-end.ipynb")
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write(path: Path, text: str = "# A page") -> Path:
    cells = [new_markdown_cell(text, id="heading"), new_code_cell("1 + 1", id="cell")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)
    return path


def bars(path: Path) -> list[str]:
    return [cell.source for cell in read_notebook(path).cells if is_bar(cell)]


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / name) for name in NAMES]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three, the middle one built."""
    folder = tmp_path_factory.mktemp("built")
    for name in NAMES:
        write(folder / name)
    assert build_notebook(folder / NAMES[1])
    return folder


@pytest.fixture
def middle(built: Path, tmp_path: Path) -> Path:
    """A copy of the one that was built, beside copies of the others."""
    return shutil.copytree(built, tmp_path / "copy") / NAMES[1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_bar_of_a_committed_notebook_is_current(path: Path) -> None:
    """`make notebooks` writes it."""
    notebook = read_notebook(path)
    set_bar(notebook, path)
    assert notebook == read_notebook(path)
    assert is_bar(notebook.cells[-1])


def test_the_way_through_all_pages_is_complete() -> None:
    ways = [bar(path, NOTEBOOKS) for path in NOTEBOOKS]
    for way, following in zip(ways, NOTEBOOKS[1:], strict=False):
        assert way.endswith(f"]({following.name})** →")
    assert all(f"[Contents]({NOTEBOOKS[0].name})" in way for way in ways[1:])


def test_a_bar_leads_back_to_the_contents_and_on(three: list[Path]) -> None:
    first, middle, last = (bar(path, three) for path in three)
    assert first == "---\n\n**[02 Find it](02-find-it.ipynb)** →"
    assert middle == "---\n\n[Contents](00-all.ipynb) · **[05 End](05-end.ipynb)** →"
    assert last == "---\n\n← [02 Find it](02-find-it.ipynb) · [Contents](00-all.ipynb)"


def test_building_writes_the_bar_once_and_keeps_it(middle: Path) -> None:
    assert bars(middle) == [bar(middle, sorted(middle.parent.iterdir()))]
    notebook = read_notebook(middle)
    assert notebook.metadata["netra_ws"] == digests(notebook)
    before = middle.read_bytes()
    assert not build_notebook(middle)
    assert middle.read_bytes() == before


def test_a_new_neighbour_or_an_edited_bar_is_a_reason_to_write(middle: Path) -> None:
    between = write(middle.with_name("03-between.ipynb"))
    assert build_notebook(middle)
    assert between.name in bars(middle)[0]
    notebook = read_notebook(middle)
    notebook.cells[-1].source = "Next: nothing"
    nbformat.write(notebook, middle)
    assert build_notebook(middle)
    assert between.name in bars(middle)[0]


def test_a_page_alone_has_no_bar(tmp_path: Path) -> None:
    path = write(tmp_path / "00-page.ipynb")
    build_notebook(path)
    assert bars(path) == []


def test_the_report_leaves_the_bar_out(middle: Path) -> None:
    page = Page(middle.stem, read_notebook(middle))
    assert [cell.id for cell in page.body.cells] == ["heading", "cell"]


def test_a_label_is_the_name_in_words() -> None:
    assert label("00-post-mortem") == "00 Post-mortem"
    assert label("03-find-the-cause") == "03 Find the cause"
