"""Nothing that a user meets is undocumented, and nothing that is documented is gone."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from packages import PACKAGES, sources

from netra_incident import figures
from netra_incident.cli import COMMANDS

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

BETWEEN_PROCESSES = {f"NETRA_WS_{name}" for name in ("REVISION", "SCRATCH", "SUPERVISED", "TREE")}
"""Variables that a process of ours sets for its child, and nobody else."""


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of docs/, imported under its name for as long as the test lasts."""
    spec = importlib.util.spec_from_file_location(
        request.param, ROOT / "docs" / f"{request.param}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, request.param, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", ["reference"], indirect=True)
def test_the_reference_is_what_the_code_says(script: ModuleType) -> None:
    """Every event, close code, limit, command, option, metric and public name, in its own words."""
    assert script.page() == REFERENCE, "run: python docs/reference.py"


def test_no_row_of_the_reference_is_without_words() -> None:
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert cells[1], row


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_how_it_is_used_and_how_it_ends(name: str) -> None:
    command = COMMANDS[name].load()
    said = command.get_help(click.Context(command, info_name=name))
    assert re.search(r"^\s+Examples?:", said, re.MULTILINE)
    assert re.search(r"^\s+Exit codes?:", said, re.MULTILINE)
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(option.help for option in options)


def test_every_variable_of_the_environment_is_in_the_reference() -> None:
    read: set[str] = set()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r"\b(?:NETRA_WS|STAGING)_[A-Z_]+(?:_\d)?\b", text))
    documented = set(re.findall(r"^\| `([A-Z_0-9]+)` \|", REFERENCE, re.MULTILINE))
    assert read - BETWEEN_PROCESSES == documented - {"TEST_ENVIRONMENT"}


def _calls_on_pages() -> set[str]:
    called: set[str] = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                called |= {
                    node.func.id
                    for node in ast.walk(ast.parse("".join(cell["source"])))
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                }
    return called


def test_every_figure_is_on_a_page() -> None:
    drawn = {path.stem for path in Path(figures.__path__[0]).glob("*.py")} & set(figures.__all__)
    assert len(drawn) >= 8
    assert drawn <= _calls_on_pages()


@pytest.mark.parametrize("target", ["test", "check", "acceptance", "incident"])
def test_contributing_names_what_ci_runs(target: str) -> None:
    assert f"make {target}" in CONTRIBUTING
    assert f"make {target}" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_contributing_names_only_tests_and_files_that_exist() -> None:
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py", CONTRIBUTING)) <= tests
    paths = re.findall(rf"`((?:{'|'.join(PACKAGES)}|tests|docs)/[\w./]+)`", CONTRIBUTING)
    assert len(paths) > 10
    for path in paths:
        assert "NAME" in path or (ROOT / path).exists(), path


@pytest.mark.parametrize("script", ["rooms"], indirect=True)
def test_the_map_of_the_rooms_is_that_of_the_imports(script: ModuleType) -> None:
    shown = script.between(CONTRIBUTING).strip().strip("`").strip("\n")
    assert shown == script.text_form(script.rooms()), "run: python docs/rooms.py"
