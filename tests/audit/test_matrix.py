"""The bug in miniature, and which tool sees it."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from await_audit.errors import AuditError
from netra_incident.measuring.matrix import TOOLS, Matrix, measure_matrix
from netra_incident.measuring.miniature import CALLERS, CALLERS_FILES, ELSEWHERE, WRONG, write

OURS, PYREFLY, *_ = TOOLS
(MYPY,) = (tool for tool in TOOLS if tool.name == "mypy")
(RUFF,) = (tool for tool in TOOLS if tool.module == "ruff")


@pytest.fixture(params=CALLERS_FILES)
def callers(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The imported callers of a miniature."""
    write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / ELSEWHERE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield importlib.import_module(request.param.removesuffix(".py"))
    for name in set(sys.modules) - before:
        del sys.modules[name]


def raised_at(function: Callable[[str], Coroutine[None, None, object]]) -> int | None:
    """Return the line of the `TypeError` that a caller raises, `None` if it returns."""
    try:
        asyncio.run(function("A"))
    except TypeError as error:
        return traceback.extract_tb(error.__traceback__)[-1].lineno
    return None


def test_every_marked_line_raises_and_no_other(callers: ModuleType) -> None:
    functions = [one for one in vars(callers).values() if inspect.iscoroutinefunction(one)]
    lines = {raised_at(one) for one in functions if one.__module__ == callers.__name__}
    assert lines == {*WRONG, None}


def test_the_three_differ_in_annotations_and_in_what_is_beside_them(tmp_path: Path) -> None:
    write(tmp_path)
    annotated, bare, unresolved = CALLERS_FILES
    texts = {name: (tmp_path / name).read_text() for name in CALLERS_FILES}
    assert "->" in texts[annotated]
    assert ":" not in texts[bare].replace("):", "")
    assert texts[unresolved].replace("_unresolved", "_annotated") == texts[annotated]
    assert {path.name for path in (tmp_path / ELSEWHERE).iterdir()} == {
        "shop_unresolved.py",
        "stock_unresolved.py",
    }


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """The quick ones of the tools; who runs them likes colours, in which a text is hard to find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORCE_COLOR", "1")
        yield measure_matrix([OURS, PYREFLY, MYPY, RUFF])


def test_the_audit_finds_all_that_can_be_known_and_says_what_cannot(matrix: Matrix) -> None:
    ours, pyrefly, mypy, ruff = matrix.rows
    assert [str(outcome) for outcome in ours.outcomes] == ["4/4", "4/4", "0/4, says why"]
    assert [str(outcome) for outcome in pyrefly.outcomes] == ["4/4", "4/4", "0/4, says why"]
    assert [str(outcome) for outcome in mypy.outcomes] == ["4/4", "0/4", "0/4, says why"]
    assert [str(outcome) for outcome in ruff.outcomes] == ["0/4", "0/4", "0/4"]
    assert not any(outcome.false for row in matrix.rows for outcome in row.outcomes)
    assert all(row.version and row.seconds for row in matrix.rows)


def test_it_prints_neither_versions_nor_times(matrix: Matrix) -> None:
    assert repr(matrix).splitlines()[0].split() == [
        "annotated",
        "un-annotated",
        "imports",
        "are",
        "unresolved",
        "false",
    ]
    again = Matrix(tuple(replace(row, version="0", seconds=0.0) for row in matrix.rows))
    assert repr(again) == repr(matrix)


def test_a_tool_that_is_not_installed_is_said_to_be() -> None:
    absent = replace(RUFF, name="absent", package="no-such-package")
    (row,) = measure_matrix([absent]).rows
    assert row.version is None
    assert "not installed" in repr(Matrix((row,)))


def test_a_tool_that_does_not_do_its_work_has_not_found_nothing() -> None:
    broken = replace(RUFF, arguments=("check", "--no-such-option"))
    with pytest.raises(AuditError, match="expected an exit code up to 1, got 2"):
        measure_matrix([broken])


def test_the_wrong_lines_are_those_that_await_what_is_synchronous() -> None:
    lines = CALLERS.splitlines()
    assert len(WRONG) == 4
    assert all("await" in lines[number - 1] for number in WRONG)
