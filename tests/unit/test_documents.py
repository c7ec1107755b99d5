"""What is written about the project is true of it."""

import re
from pathlib import Path

import pytest

import netra_ws
from netra_ws.cli import cli
from netra_ws.errors import CloseCode
from netra_ws.incident.case import CASES, load_case

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CHANGELOG.md", "runbook.md")


def test_the_public_names_are_sorted_and_exist() -> None:
    assert netra_ws.__all__ == sorted(netra_ws.__all__)
    assert all(hasattr(netra_ws, name) for name in netra_ws.__all__)


@pytest.mark.parametrize("code", list(CloseCode), ids=lambda code: str(int(code)))
def test_the_readme_explains_every_close_code(code: CloseCode) -> None:
    assert f"| {int(code)} | {code.meaning} |" in README


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in re.findall(r"netra-ws ([a-z-]+)", text):
        assert name in cli.commands, name
    for target in re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def test_the_readme_lists_every_notebook() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{path.name})" in README


def test_only_the_case_names_its_incident() -> None:
    number = load_case().id
    for path in sorted((ROOT / "netra_ws").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and CASES not in path.parents:
            assert number not in path.read_text(encoding="utf-8"), path
