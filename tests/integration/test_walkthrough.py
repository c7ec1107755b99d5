"""The main job as its user runs it, and the pages that it leaves."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from netra_ws.incident.notebooks import find_notebooks

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "netra_ws", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
    )


class Links(HTMLParser):
    """Collects what a page refers to and the pictures in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.references: list[str] = []
        self.pictures: list[str | None] = []
        self.tags: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.references += [values[name] or "" for name in ("src", "href") if name in values]
        if tag == "img":
            self.pictures.append(values.get("alt"))


@pytest.fixture(scope="module")
def walkthrough(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the report and what the command printed."""
    build = tmp_path_factory.mktemp("build")
    before = {path: path.read_bytes() for path in find_notebooks(ROOT / "notebooks")}
    done = run("walkthrough", "--build", str(build))
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in before} == before, "it must not touch its sources"
    return build / "post-mortem", done.stdout


@pytest.mark.timeout(200)
def test_it_prints_the_measured_table_and_the_path(walkthrough: tuple[Path, str]) -> None:
    folder, printed = walkthrough
    lines = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    assert ["handshakes accepted", "100 of 100", "100 of 100"] in lines
    assert ["sessions completed", "0 of 100", "100 of 100"] in lines
    assert ["events received", "0", "500"] in lines
    assert ["close codes", "1011 × 100", "1000 × 100"] in lines
    assert ["endpoints", "500 × 3", "200 × 3"] in lines
    assert str(folder / "index.html") in printed.replace("\n", "")


def test_the_contents_link_every_page(walkthrough: tuple[Path, str]) -> None:
    folder, _ = walkthrough
    references = Links(folder / "index.html").references
    for path in find_notebooks(ROOT / "notebooks"):
        assert f"{path.stem}.html" in references
        assert (folder / f"{path.stem}.html").is_file()


def test_the_pages_hold_their_figures_with_texts(walkthrough: tuple[Path, str]) -> None:
    folder, _ = walkthrough
    pages = [Links(page) for page in sorted(folder.glob("[0-9]*.html"))]
    pictures = [alt for page in pages for alt in page.pictures]
    assert len(pictures) >= 4
    assert all(alt and len(alt) > 40 for alt in pictures)
    assert len(Links(folder / "index.html").pictures) == len(pictures)


def test_no_page_needs_a_network(walkthrough: tuple[Path, str]) -> None:
    folder, _ = walkthrough
    for page in folder.glob("*.html"):
        links = Links(page)
        assert not {"script", "link", "iframe"} & set(links.tags)
        for reference in links.references:
            local = reference.startswith(("data:image/png;base64,", "#"))
            assert local or (folder / reference.partition("#")[0]).is_file(), reference
        assert "@import" not in page.read_text(encoding="utf-8")


def test_a_failing_notebook_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_code_cell("1 / 0", id="cell")])
    nbformat.write(notebook, tmp_path / "00-page.ipynb")
    done = run("walkthrough", "--notebooks", str(tmp_path), "--build", str(tmp_path / "build"))
    assert done.returncode == 1
    assert "00-page.ipynb failed in cell 1 of 1" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "jupyter lab" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_notebooks_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("walkthrough", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no notebooks in notebooks" in done.stderr
