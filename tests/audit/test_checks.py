"""What no type checker sees and no case can show by running: mocks, and a loop in a loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from await_audit.checks import own_findings
from await_audit.files import find_files

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
    findings = own_findings(find_files([tmp_path]), tmp_path)
    return [(str(one.kind), one.rule, one.span.line) for one in findings]


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


def test_a_file_that_cannot_be_parsed_is_left_to_the_type_checker(tmp_path: Path) -> None:
    assert found(tmp_path, broken="async def load(:\n") == []


def test_the_place_of_a_finding_counts_code_points(tmp_path: Path) -> None:
    source = 'async def load(): ...\n\n\nasync def main():\n    return f"äöü {load()}"\n'
    (tmp_path / "wide.py").write_text(source, encoding="utf-8")
    (finding,) = own_findings(find_files([tmp_path]), tmp_path)
    assert finding.span.column >= source.splitlines()[4].index("load") - 8
    assert finding.definition is not None
    assert (finding.definition.path, finding.definition.line) == (tmp_path / "wide.py", 1)
