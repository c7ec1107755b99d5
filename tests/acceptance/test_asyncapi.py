"""The published contract before the parser of those who wrote the specification."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import leash
import pytest

from netra_ws.serving.contract import asyncapi

PARSER = "@asyncapi/parser@3.6.3"
CHECK = Path(__file__).with_name("asyncapi.mjs")

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None, reason="needs npm, for the official parser"
)


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the parser is installed."""
    folder = tmp_path_factory.mktemp("parser")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PARSER]
    done = leash.run(command, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def judged(document: dict[str, Any], parser: Path, folder: Path) -> tuple[int, str]:
    """Return the exit code, 1 for a document that is not valid, and what is said of it."""
    file = folder / "asyncapi.json"
    file.write_text(json.dumps(document))
    done = leash.run(["node", CHECK, file, parser])
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_the_official_parser_finds_nothing_wrong(parser: Path, tmp_path: Path) -> None:
    assert judged(asyncapi(), parser, tmp_path) == (0, "")


def test_the_parser_says_what_is_wrong(parser: Path, tmp_path: Path) -> None:
    broken = copy.deepcopy(asyncapi())
    broken["operations"]["sendToClient"]["action"] = "shout"
    code, words = judged(broken, parser, tmp_path)
    assert code == 1
    assert "operations.sendToClient.action" in words
