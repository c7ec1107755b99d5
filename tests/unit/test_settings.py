"""The limits: each has a unit, a reason and a test; a settings file is read strictly."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from command import in_process

from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FIELDS = Settings.__struct_fields__
UNITS = ("_s", "_per_s", "_per_user", "_bytes", "_bytes_total", "_events", "_logins")
PLAIN = {
    "max_connections",
    "max_pending_connections",
    "max_threads",
    "allowed_origins",
}  # counts of what their names say
REASONS = (": ", "so that", "against", "below ")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def docstrings() -> dict[str, str]:
    """Return what stands below each field."""
    (body,) = (
        node.body
        for node in ast.parse((ROOT / "netra_ws/settings.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    found = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                found[name] = words
    return found


@cache
def guards() -> dict[str, list[str]]:
    """Return the tests with a mark `guards`, by the settings that it names."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "mark.guards(" in text else ():
            if not isinstance(node, FUNCTIONS) or not node.name.startswith("test_"):
                continue
            for mark in node.decorator_list:
                match mark:
                    case ast.Call(ast.Attribute(attr="guards"), settings):
                        for setting in map(ast.literal_eval, settings):
                            found.setdefault(setting, []).append(node.name)
    return found


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_unit_a_reason_and_a_test(field: str) -> None:
    assert field.endswith(UNITS) or field in PLAIN, "expected a unit at the end of its name"
    words = docstrings().get(field, "")
    assert words, "expected a docstring below the field"
    assert any(reason in words for reason in REASONS), "expected the reason for the default"
    assert guards().get(field), f'expected a test with @pytest.mark.guards("{field}"), got none'


def test_every_mark_names_a_setting() -> None:
    assert {name: tests for name, tests in guards().items() if name not in FIELDS} == {}


def test_no_field_accepts_a_value_that_bounds_nothing() -> None:
    for field in FIELDS:
        for value in (-1, float("inf"), float("nan"), None, "1"):
            encoded = json.dumps({field: value}).encode()
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(encoded, type=Settings)


def test_a_settings_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"drain_timeout_s": 30, "allowed_origins": ["https://app.example"]}')
    origins = ("https://app.example",)
    assert read_settings(file) == Settings(drain_timeout_s=30.0, allowed_origins=origins)


BROKEN: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, re.escape(os.strerror(errno.ENOENT))),
    "not JSON": (b"drain_timeout_s = 30", "expected JSON, got something else in line 1, column 1"),
    "cut off": (b'{"drain_timeout_s": 30', "expected JSON, got an early end in line 1, column 23"),
    "empty": (b"", "expected JSON, got nothing"),
    "not UTF-8": (b'{"\xff": 1}', "expected UTF-8, got something else at byte 2"),
    "a list": (b"[]", "expected an object with limits; .*"),
    "an unknown field": (
        b'{"drain_timeout": 30}',
        "expected an object with limits; .*drain_timeout.*",
    ),
    "a wrong type": (b'{"drain_timeout_s": "30"}', ".*drain_timeout_s.*"),
    "half a run": (b'{"max_runs_per_user": 1.5}', ".*max_runs_per_user.*"),
    "negative": (b'{"drain_timeout_s": -1}', ".*drain_timeout_s.*"),
    "zero": (b'{"max_connections": 0}', ".*max_connections.*"),
    "one origin as text": (b'{"allowed_origins": "https://a.example"}', ".*allowed_origins.*"),
}


@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=list(BROKEN))
def test_a_settings_file_that_will_not_do_is_refused_by_its_name(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read_settings(file)
    prefix = f"settings file {file}: "
    assert str(refused.value).startswith(prefix)
    assert re.fullmatch(why, str(refused.value).removeprefix(prefix))


def test_serve_ends_with_2_and_one_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"drain_timeout_s": -1}')
    done = in_process("serve", "--settings", file, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"settings file {file}: expected an object with limits; " in line
