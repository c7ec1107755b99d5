"""What no type checker sees and no case can show by running: mocks, and a loop in a loop."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.checks import HERE, own_findings
from await_audit.engines import Settings
from await_audit.files import find_files
from await_audit.finding import Finding, Unjudged

TARGET = """\
import functools

import asyncio


def get_manager(name):
    return name


async def load(name):
    return name


@functools.lru_cache
def cached(name):
    return name


@asyncio.coroutine_like
def wrapped(name):
    return name


class Registry:
    def latest(self):
        return 1
"""

TEST = """\
import asyncio
import unittest.mock
from unittest.mock import AsyncMock, MagicMock, patch

import managers
from managers import load


def test_it(monkeypatch):
    {line}
"""

OVER_SYNC = [
    'patch("managers.get_manager", AsyncMock())',
    'patch("managers.get_manager", new=AsyncMock(return_value=1))',
    'patch("managers.get_manager", new_callable=AsyncMock)',
    'unittest.mock.patch("managers.get_manager", unittest.mock.AsyncMock())',
    'patch.object(managers, "get_manager", AsyncMock())',
    'patch.object(managers, "get_manager", new_callable=AsyncMock)',
    'monkeypatch.setattr(managers, "get_manager", AsyncMock())',
    'monkeypatch.setattr("managers.get_manager", AsyncMock())',
    'patch("managers.Registry.latest", AsyncMock())',
    'patch("managers.cached", AsyncMock())',
]

RIGHT = [
    'patch("managers.load", AsyncMock())',
    'patch("managers.get_manager", MagicMock())',
    'patch("managers.get_manager")',
    'patch("managers.wrapped", AsyncMock())',  # a decorator may have made anything of it
    'patch("managers.absent", AsyncMock())',
    'patch("elsewhere.get_manager", AsyncMock())',
    'patch.object(managers, "load", AsyncMock())',
    'patch.object(monkeypatch, "get_manager", AsyncMock())',
    "AsyncMock()",
]


def found(tmp_path: Path, **sources: str) -> list[tuple[str, str, int]]:
    """Return kind, rule and line of what the checks find in a project of these files."""
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    return [
        (str(one.kind), one.rule, one.span.line)
        for one in own(tmp_path)
        if isinstance(one, Finding)
    ]


def own(folder: Path) -> list[Finding | Unjudged]:
    settings = Settings(Path(sys.executable), (folder,))
    return list(own_findings(find_files([folder]), settings, folder))


@pytest.mark.parametrize("line", OVER_SYNC)
def test_an_async_mock_over_a_plain_function_is_found(tmp_path: Path, line: str) -> None:
    sources = {"managers": TARGET, "test_it": TEST.format(line=line)}
    assert found(tmp_path, **sources) == [("await-sync", "async-mock-of-sync", 10)]


@pytest.mark.parametrize("line", RIGHT)
def test_another_double_or_another_target_is_not(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, managers=TARGET, test_it=TEST.format(line=line)) == []


RUNNER = """\
import asyncio


async def load():
    return 1


async def main():
    {line}


def plain():
    return asyncio.run(load())
"""


@pytest.mark.parametrize("line", ["asyncio.run(load())", "value = asyncio.run(load(), debug=True)"])
def test_a_loop_in_a_running_loop_is_found(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, runner=RUNNER.format(line=line)) == [
        ("unawaited", "run-in-running-loop", 9)
    ]


@pytest.mark.parametrize(
    "line", ["await load()", "await asyncio.to_thread(plain)", "return lambda: asyncio.run(load())"]
)
def test_a_loop_of_its_own_is_not(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, runner=RUNNER.format(line=line)) == []


def test_a_file_that_cannot_be_parsed_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\nasync def load(:\n")
    (said,) = own(tmp_path)
    assert isinstance(said, Unjudged)
    assert (said.path, said.line) == (tmp_path / "broken.py", 2)
    assert said.why.startswith(f"Python {HERE}, which runs netra-ws, cannot parse it (syntax error")


def test_what_the_type_checker_says_of_it_is_not_said_again(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("async def load(:\n")
    report = audit([tmp_path], python=Path(sys.executable), root=tmp_path)
    assert len(report.unjudged) == 1
    assert report.unjudged[0].why.startswith("it has a syntax error")


def test_syntax_that_the_own_python_does_not_know_is_named(tmp_path: Path) -> None:
    """Nested so deep that pyrefly reads it and CPython does not, as it is with newer syntax."""
    (tmp_path / "app.py").write_text(f"async def load(): ...\nload()\n{'(' * 300}1{')' * 300}\n")
    report = audit([tmp_path], python=Path(sys.executable), root=tmp_path)
    assert [one.span.line for one in report.findings] == [2]
    (said,) = report.unjudged
    assert (said.line, said.why.startswith(f"Python {HERE}, which runs")) == (3, True)


def test_the_place_of_a_finding_counts_code_points(tmp_path: Path) -> None:
    source = 'async def load(): ...\n\n\nasync def main():\n    return f"äöü {load()}"\n'
    (tmp_path / "wide.py").write_text(source, encoding="utf-8")
    (finding,) = own(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.span.column >= source.splitlines()[4].index("load") - 8
    assert finding.definition is not None
    assert (finding.definition.path, finding.definition.line) == (tmp_path / "wide.py", 1)


@pytest.mark.parametrize("end", ["\x0c", "\u2028", "\x1c", "\x85"], ids=ascii)
def test_the_column_of_a_finding_counts_from_the_line_end_that_python_knows(
    tmp_path: Path, end: str
) -> None:
    source = f"async def load(): ...\n\n\nasync def main():\n    '{end}', f'{{load()}}'\n"
    (tmp_path / "app.py").write_text(source, encoding="utf-8")
    (finding,) = own(tmp_path)
    assert isinstance(finding, Finding)
    assert (finding.span.line, finding.span.column) == (5, 12)


def test_the_columns_of_a_file_in_another_encoding_are_its_own(tmp_path: Path) -> None:
    source = (
        "# coding: latin-1\nasync def load(): ...\nasync def main(): return 'éé', f'{load()}'\n"
    )
    (tmp_path / "app.py").write_text(source, encoding="latin-1")
    (finding,) = own(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.span.column == source.splitlines()[2].index("load()")


NESTED = {
    "terms": lambda n: f"x = {' + '.join(['x'] * n)}",
    "attributes": lambda n: f"x = x{'.a' * n}",
    "calls": lambda n: f"x = load{'()' * n}",
    "lambdas": lambda n: f"x = {'lambda: ' * n}1",
    "branches": lambda n: "if x: pass\n" + "elif x: pass\n" * n,
    "minus": lambda n: f"x = {'-' * n}1",
}


@pytest.mark.parametrize("levels", [400, 700])
@pytest.mark.parametrize("form", NESTED)
def test_what_is_nested_deep_is_judged_or_named(tmp_path: Path, form: str, levels: int) -> None:
    """More levels than Python takes calls: no traceback, and the other file is judged."""
    source = "async def load(): ...\nasync def main(): print(f'{load()}')\n"
    (tmp_path / "deep.py").write_text(f"{source}x = 1\n{NESTED[form](levels)}\n")
    (tmp_path / "other.py").write_text(source)
    report = audit([tmp_path], python=Path(sys.executable), root=tmp_path)
    found = {one.path.name for one in report.findings if one.rule == "coroutine-in-text"}
    said = [one.why for one in report.unjudged if "not resolved" not in one.why]
    if levels == 400:
        assert (found, said) == ({"deep.py", "other.py"}, [])
    else:
        assert (found, said) == ({"other.py"}, ["cannot be parsed: it is nested too deep"])
