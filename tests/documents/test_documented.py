"""Nothing that a user meets is undocumented, and nothing that is documented is gone."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator
from packages import PACKAGES, sources

from docs.examples import CLIENT, SERVER
from docs.reference import CODES, ERRORS
from netra_incident import figures
from netra_incident.cli import COMMANDS
from netra_ws import errors, events
from netra_ws.client import ReceivedRun
from netra_ws.serving.contract import CLIENT_MESSAGES, SERVER_MESSAGES, asyncapi

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

BETWEEN_PROCESSES = {f"NETRA_WS_{name}" for name in ("REVISION", "SCRATCH", "SUPERVISED", "TREE")}
"""Variables that a process of ours sets for its child, and nobody else."""


def test_no_row_of_the_reference_is_without_words() -> None:
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert cells[1], row
        assert cells[-1], row


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


EXAMPLES = re.findall(r"^#### (\w+)$.*?^```json\n(.*?)^```$", REFERENCE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_valid_by_the_published_schema(name: str, example: str) -> None:
    components = asyncapi()["components"]
    message = json.loads(example)
    assert message["type"] == name
    schema = {**components["messages"][name]["payload"], "components": components}
    Draft202012Validator(schema).validate(message)


def test_every_message_has_an_example() -> None:
    assert tuple(map(type, CLIENT)) == CLIENT_MESSAGES
    assert tuple(map(type, SERVER)) == SERVER_MESSAGES
    assert [name for name, _ in EXAMPLES] == [one["name"] for one in _summaries()]


def _summaries() -> list[dict[str, str]]:
    messages = asyncapi()["components"]["messages"]
    structs = (*CLIENT_MESSAGES, *SERVER_MESSAGES)
    return [messages[str(one.__struct_config__.tag)] for one in structs]


def test_the_run_of_the_examples_adds_up() -> None:
    run = ReceivedRun()
    for one in SERVER:
        if isinstance(one, events.Event):
            run.add(events.encode(one).decode(), one)
    run.verify()


def test_what_to_do_is_said_of_errors_that_exist() -> None:
    assert set(ERRORS) <= set(vars(errors))


def test_every_code_of_a_typed_error_is_explained() -> None:
    """The codes in the source: those of refusals, in both forms."""
    found: set[str] = set()
    for path in (ROOT / "netra_ws").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"\b(?:(?:Request|Run)Refused|self\._refuse)\(\s*\"(\w+)\"", text))
    assert found == set(CODES)
