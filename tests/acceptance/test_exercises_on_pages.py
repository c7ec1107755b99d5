"""The exercises as the notebooks set them: each on its page, and its folded solution is right."""

import re
from pathlib import Path
from typing import Any

import pytest

from netra_incident.exercises import EXERCISES, Verdict, check
from netra_incident.exercises.colours import TWO_COLOURS
from netra_incident.measuring.statistics import wilson
from netra_incident.report.notebooks import code_cells, find_notebooks, read_notebook

NOTEBOOKS = find_notebooks(Path(__file__).parents[2] / "notebooks")
TO_BE_MENDED_BY_HAND = "your fix"

each_page = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def asked(path: Path) -> list[str]:
    """Return the names of the exercises that a page asks for, answers left open."""
    sources = "\n".join(cell.source for cell in code_cells(read_notebook(path)))
    return re.findall(r'^check\("(.+)", \.\.\.\)$', sources, re.MULTILINE)


def solutions(path: Path) -> list[str]:
    """Return the code of the folded solutions of a page."""
    texts = [cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown"]
    folds = re.findall(
        r"<details><summary>Solution</summary>(.+?)</details>", "\n".join(texts), re.DOTALL
    )
    found = []
    for fold in folds:
        blocks = re.findall(r"```python\n(.+?)```", fold, re.DOTALL)
        rest = re.sub(r"```.+?```", "", fold, flags=re.DOTALL)
        found += [*blocks, *re.findall(r"`(check\(.+?\))`", rest)]
    return found


def test_every_exercise_is_asked_once_and_on_its_page() -> None:
    on_pages = {name: path.stem[:2] for path in NOTEBOOKS for name in asked(path)}
    assert on_pages == {exercise.name: exercise.page for exercise in EXERCISES.values()}
    assert sum(len(asked(path)) for path in NOTEBOOKS) == len(EXERCISES)


@each_page
def test_every_page_has_an_exercise(path: Path) -> None:
    assert 1 <= len(asked(path)) <= 2


@each_page
def test_every_folded_solution_is_right(path: Path) -> None:
    verdicts: dict[str, Verdict] = {}

    def judge(name: str, answer: Any) -> None:
        verdicts[name] = check(name, answer)

    names = {"check": judge, "source": TWO_COLOURS, "wilson": wilson}
    for code in solutions(path):
        exec(code, names)
    assert all(verdicts.values()), verdicts
    assert [*verdicts] == [name for name in asked(path) if name != TO_BE_MENDED_BY_HAND]
