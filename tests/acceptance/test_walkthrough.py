"""The pages of the post-mortem, and how the main job fails."""

import html
import json
import os
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import leash
import nbformat
import pytest
from limits import HANG_S
from nbformat.v4 import new_code_cell, new_notebook, new_output

from netra_incident.case import told_case
from netra_incident.report.html import write_report
from netra_incident.report.notebooks import find_notebooks, read_notebook
from netra_incident.report.page import Page

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netra_incident", *arguments]
    return leash.run(command, cwd=cwd, env=os.environ | env)


class Links(HTMLParser):
    """Collects what a page refers to and the pictures in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.references: list[str] = []
        self.sources: list[str] = []
        self.pictures: list[str | None] = []
        self.tags: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.references += [values[name] or "" for name in ("src", "href") if name in values]
        if "src" in values:
            self.sources.append(values["src"] or "")
        if tag == "img":
            self.pictures.append(values.get("alt"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report, of the notebooks as they are committed; nbval shows that they still hold."""
    pages = [Page(path.stem, read_notebook(path)) for path in find_notebooks(ROOT / "notebooks")]
    return write_report(told_case(), pages, tmp_path_factory.mktemp("report")).parent


def test_the_contents_link_every_page(folder: Path) -> None:
    references = Links(folder / "index.html").references
    for path in find_notebooks(ROOT / "notebooks"):
        assert f"{path.stem}.html" in references
        assert (folder / f"{path.stem}.html").is_file()


def test_the_pages_hold_their_figures_with_texts(folder: Path) -> None:
    pages = [Links(page) for page in sorted(folder.glob("[0-9]*.html"))]
    pictures = [alt for page in pages for alt in page.pictures]
    assert len(pictures) >= 4
    assert all(alt and len(alt) > 40 for alt in pictures)
    assert len(Links(folder / "index.html").pictures) == len(pictures)


def test_no_page_needs_a_network(folder: Path) -> None:
    for page in folder.glob("*.html"):
        links = Links(page)
        assert not {"script", "link", "iframe"} & set(links.tags)
        assert not [source for source in links.sources if not source.startswith("data:image/png;")]
        for reference in links.references:
            # A link to elsewhere asks for nothing until somebody follows it.
            local = reference.startswith(("data:image/png;base64,", "#", "https://"))
            assert local or (folder / reference.partition("#")[0]).is_file(), reference
        assert "@import" not in page.read_text(encoding="utf-8")


def test_every_figure_has_a_caption_and_its_facts_in_words(folder: Path) -> None:
    for path in find_notebooks(ROOT / "notebooks"):
        text = html.unescape((folder / f"{path.stem}.html").read_text(encoding="utf-8"))
        for number, picture in enumerate(Page(path.stem, read_notebook(path)).pictures, 1):
            assert f'<figure id="figure-{number}">' in text
            assert f"<figcaption>{picture.title}</figcaption>" in text
            assert picture.facts
            assert [
                fact for fact in picture.facts.splitlines() if f"<li>{fact}</li>" not in text
            ] == []


def test_the_title_of_a_figure_is_that_of_its_output_or_the_start_of_its_text() -> None:
    data = {"image/png": "AAAA", "text/plain": "7 of 7"}
    about = {"alt": "Two bars: one is longer. It is the second."}
    told = new_output("display_data", data, metadata={"image/png": {"title": "It works", **about}})
    silent = new_output("display_data", data, metadata={"image/png": about})
    assert Page.image(told).title == "It works"
    assert Page.image(silent).title == "Two bars"


def test_a_glossary_becomes_a_page_with_working_links(tmp_path: Path) -> None:
    pages = [Page(path.stem, read_notebook(path)) for path in find_notebooks(ROOT / "notebooks")]
    terms = "# Terms\n\n## epoch\n\nMet on [page 06](06-event-delivery.ipynb#Nothing-is-missing).\n"
    folder = write_report(told_case(), pages, tmp_path, terms).parent
    assert "glossary.html" in Links(folder / "index.html").references
    references = Links(folder / "glossary.html").references
    assert "06-event-delivery.html#Nothing-is-missing" in references
    assert 'id="Nothing-is-missing"' in (folder / "06-event-delivery.html").read_text()


def test_the_contents_offer_the_minutes(folder: Path) -> None:
    references = Links(folder / "index.html").references
    for name in ("post-mortem.md", "actions.csv"):
        assert name in references
        assert (folder / name).read_text(encoding="utf-8")


def test_a_failing_notebook_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_code_cell("1 / 0", id="cell")])
    nbformat.write(notebook, tmp_path / "00-page.ipynb")
    done = run("walkthrough", "--notebooks", str(tmp_path), "--build", str(tmp_path / "build"))
    assert done.returncode == 1
    assert "00-page.ipynb failed in cell 1 of 1" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "jupyter lab" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_kernel_says_beside_its_cells_is_not_shown(tmp_path: Path) -> None:
    # Where pytest is at work a kernel leaves descriptor 2 to the system.
    source = "import os\nos.write(2, b'of its ' + b'own')\n1 / 0"
    notebook = new_notebook(cells=[new_code_cell(source, id="cell")])
    nbformat.write(notebook, tmp_path / "00-page.ipynb")
    done = run("walkthrough", "--notebooks", str(tmp_path), "--build", str(tmp_path / "build"))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "of its own" not in done.stderr


def test_a_kernel_that_does_not_start_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit('no such luck')", "{connection_file}"]
    spec = {"argv": argv, "display_name": "broken", "language": "python"}
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    notebook = new_notebook(cells=[new_code_cell("1", id="cell")])
    nbformat.write(notebook, tmp_path / "00-page.ipynb")
    done = run("walkthrough", "--notebooks", str(tmp_path), JUPYTER_PATH=str(tmp_path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "does not start: no such luck" in done.stderr


def test_a_folder_without_notebooks_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("walkthrough", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no notebooks in notebooks" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_ctrl_c_ends_it_at_once_with_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    source = "import threading\nopen('begun', 'w').close()\nthreading.Event().wait(60)"
    notebook = new_notebook(cells=[new_code_cell(source, id="cell")])
    nbformat.write(notebook, tmp_path / "00-page.ipynb")
    with leash.started(
        [sys.executable, "-m", "netra_incident", "walkthrough", "--notebooks", str(tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        (tmp_path / "begun").open().close()  # waits until the cell runs
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
