"""The notebooks as they are committed, and the builder that keeps them."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from limits import HANG_S
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from netra_incident.report.notebooks import (
    NotebookFailed,
    build_notebook,
    code_cells,
    digests,
    find_notebooks,
    read_notebook,
)
from netra_ws.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
EXPECTED = [
    "00-post-mortem",
    "01-what-await-does",
    "02-reproduce",
    "03-find-the-cause",
    "04-fix",
    "05-verify",
    "06-event-delivery",
    "07-roll-back",
    "09-prevent",
]

committed = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def write(path: Path, *sources: str) -> Path:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    heading = new_markdown_cell("# A page", id="heading")
    nbformat.write(new_notebook(cells=[heading, *cells], metadata={"kernelspec": kernel}), path)
    return path


def nbval(folder: Path) -> subprocess.CompletedProcess[str]:
    """Test the notebooks in `folder` as the project's own are tested."""
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return subprocess.run(
        [*command, str(folder)], cwd=folder, capture_output=True, text=True, timeout=HANG_S
    )


def test_no_notebook_went_missing() -> None:
    assert [path.stem for path in NOTEBOOKS] == EXPECTED


def test_nbval_collects_every_code_cell() -> None:
    """Guards the test command itself: a notebook that is not collected cannot fail."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]
    listed = subprocess.run(
        [*command, "notebooks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    collected = [line for line in listed.stdout.splitlines() if line.startswith("notebooks/")]
    cells = sum(len(code_cells(read_notebook(path))) for path in NOTEBOOKS)
    assert len({line.partition("::")[0] for line in collected}) == len(EXPECTED)
    assert len(collected) == cells


@committed
def test_a_committed_notebook_was_run_from_top_to_bottom(path: Path) -> None:
    cells = code_cells(read_notebook(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@committed
def test_a_committed_notebook_holds_the_outputs_of_its_source(path: Path) -> None:
    """Fails when an output is stripped or a source edited: `make notebooks` mends it."""
    notebook = read_notebook(path)
    assert notebook.metadata["netra_ws"] == digests(notebook)


@committed
def test_a_cell_of_a_notebook_has_at_most_six_lines(path: Path) -> None:
    longest = max(len(cell.source.splitlines()) for cell in code_cells(read_notebook(path)))
    assert 1 <= longest <= 6


@committed
def test_no_output_escapes_comparison(path: Path) -> None:
    for cell in code_cells(read_notebook(path)):
        assert not [tag for tag in cell.metadata.get("tags", []) if "nbval" in tag.lower()]
        assert "NBVAL" not in cell.source


@committed
def test_every_picture_has_a_text_and_facts(path: Path) -> None:
    for cell in code_cells(read_notebook(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 40
                assert any(character.isdigit() for character in output.data["text/plain"])


SOURCES = (
    "print(open('value').read())",
    "import sys\nfor n in range(50):\n    print(n)\n    sys.stdout.flush()",
    "{'a': 1}",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that was built once, and the file that it reads; each test has a copy."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "value").write_text("one")
    path = write(folder / "00-page.ipynb", *SOURCES)
    assert build_notebook(path)
    return path


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built.parent, tmp_path / "copy") / built.name


def test_stripped_outputs_change_the_digest(built: Path) -> None:
    notebook = read_notebook(built)
    code_cells(notebook)[2].outputs = []
    assert notebook.metadata["netra_ws"] != digests(notebook)


def test_a_notebook_is_kept_when_only_its_picture_changed(tmp_path: Path) -> None:
    picture = (
        "import os, base64\n"
        "class Picture:\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        "        noise = base64.b64encode(os.urandom(9)).decode()\n"
        "        return {'image/png': noise, 'text/plain': '3 facts'}\n"
        "Picture()"
    )
    path = write(tmp_path / "00-page.ipynb", picture)
    assert build_notebook(path)
    first = path.read_bytes()
    assert not build_notebook(path)
    assert path.read_bytes() == first


RAISES = """\
try:
    raise TypeError(open('words').read())
except TypeError as error:
    raise RuntimeError('no cup') from error"""


def raising_page(folder: Path, words: str) -> Path:
    """A page that ends in an error whose traceback alone has `words`, and was built with them."""
    path = write(folder / "00-page.ipynb", RAISES)
    notebook = read_notebook(path)
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    (folder / "words").write_text(words)
    assert build_notebook(path)
    return path


def test_a_notebook_is_kept_when_another_python_words_its_traceback(tmp_path: Path) -> None:
    path = raising_page(tmp_path, "object str can't be used in 'await' expression")
    first = path.read_bytes()
    assert b"can't be used" in first
    (tmp_path / "words").write_text("'str' object can't be awaited")
    assert not build_notebook(path)
    assert path.read_bytes() == first
    done = nbval(tmp_path)
    assert "1 passed" in done.stdout, done.stdout


def test_a_stripped_traceback_changes_the_digest(tmp_path: Path) -> None:
    notebook = read_notebook(raising_page(tmp_path, "words"))
    code_cells(notebook)[0].outputs[0].traceback = []
    assert notebook.metadata["netra_ws"] != digests(notebook)


def test_a_notebook_is_rewritten_when_an_output_changed(copy: Path) -> None:
    copy.with_name("value").write_text("two")
    assert build_notebook(copy)
    assert code_cells(read_notebook(copy))[0].outputs[0].text == "two\n"


def test_a_notebook_is_rewritten_when_its_source_changed(copy: Path) -> None:
    notebook = read_notebook(copy)
    code_cells(notebook)[2].source = "{'a': 0 + 1}"
    nbformat.write(notebook, copy)
    assert build_notebook(copy)


def test_two_runs_of_a_notebook_are_byte_identical(built: Path, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("one")
    path = write(tmp_path / built.name, *SOURCES)
    build_notebook(path)
    assert path.read_bytes() == built.read_bytes()


def test_prints_that_arrive_in_pieces_are_one_output(built: Path) -> None:
    assert len(code_cells(read_notebook(built))[1].outputs) == 1


def test_a_failing_cell_is_named_with_the_way_to_open_it(tmp_path: Path) -> None:
    path = write(tmp_path / "00-page.ipynb", "1 + 1", "raise LookupError('no such luck')")
    before = path.read_bytes()
    with pytest.raises(NotebookFailed) as failed:
        build_notebook(path)
    said = str(failed.value)
    assert "00-page.ipynb failed in cell 3 of 3" in said
    assert "LookupError: no such luck" in said
    assert f"jupyter lab {path}" in said
    assert path.read_bytes() == before


NOT_NOTEBOOKS = (
    None,
    "not JSON",
    "{}",
    "null",
    "[]",
    '{"cells": []}',
    '{"cells": 5, "nbformat": 4}',
    '{"nbformat": 99}',
    '{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    '{"cells": [], "metadata": {"kernelspec": 5}, "nbformat": 4, "nbformat_minor": 5}',
    '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "[" * 100_000,
)


@pytest.mark.parametrize("content", NOT_NOTEBOOKS, ids=lambda content: (content or "")[:60])
def test_what_is_not_a_notebook_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "00-page.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="is not a notebook"):
        read_notebook(path)


def test_a_folder_without_notebooks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="checkout of the project"):
        find_notebooks(tmp_path)


def test_nbval_fails_when_a_fact_of_a_figure_changes(tmp_path: Path) -> None:
    """Guards the design of the figures: their pixels are not compared, their facts are."""
    picture = "Picture(Figure(), ['after: 100 of 100'], 'a figure with nothing in it but a fact')"
    path = write(
        tmp_path / "00-page.ipynb",
        "from matplotlib.figure import Figure\n"
        f"from netra_incident.figures import Picture\n{picture}",
        picture,
    )
    build_notebook(path)
    notebook = read_notebook(path)
    code_cells(notebook)[1].outputs[0].data["text/plain"] = "after: 99 of 100"
    nbformat.write(notebook, path)
    done = nbval(tmp_path)
    assert "1 failed, 1 passed" in done.stdout
    assert "00-page.ipynb::Cell 1" in done.stdout
