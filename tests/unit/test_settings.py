"""The limits: each has a unit, a reason and a test; a settings file is read strictly."""

from __future__ import annotations

import ast
import errno
import json
import math
import os
import re
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from command import in_process

from netra_ws import decoding
from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FIELDS = Settings.__struct_fields__
UNITS = ("_s", "_per_s", "_per_user", "_bytes", "_bytes_total", "_events", "_logins")
PLAIN = {
    "max_connections",
    "max_pending_connections",
    "max_waiting_logins_per_address",
    "max_threads",
    "allowed_origins",
    "public_url",
    "trusted_proxies",
    "client_address_header",
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
            with pytest.raises((msgspec.DecodeError, ConfigurationError)):
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
        "expected a setting, got 'drain_timeout'; /ws/config lists all",
    ),
    "a wrong type": (b'{"drain_timeout_s": "30"}', ".*drain_timeout_s.*"),
    "half a run": (b'{"max_runs_per_user": 1.5}', ".*max_runs_per_user.*"),
    "negative": (b'{"drain_timeout_s": -1}', ".*drain_timeout_s.*"),
    "zero": (b'{"max_connections": 0}', ".*max_connections.*"),
    "every origin": (b'{"allowed_origins": ["*"]}', "allowed_origins: expected an .*, got '\\*'"),
    "a page for an origin": (
        b'{"allowed_origins": ["https://a.example/chat"]}',
        "allowed_origins: expected an origin like .*",
    ),
    "every proxy": (b'{"trusted_proxies": ["::/0"]}', "trusted_proxies: ::/0 trusts everybody.*"),
    "a proxy by its name": (
        b'{"trusted_proxies": ["proxy"]}',
        "trusted_proxies: expected .*'proxy'.*",
    ),
    "a public URL without a scheme": (b'{"public_url": "a.example"}', "public_url: expected .*"),
    "another header": (b'{"client_address_header": "X-Real-IP"}', ".*client_address_header.*"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "expected JSON, got something else.*"),
    "UTF-16": ("{}".encode("utf-16"), "expected UTF-8, got something else at byte 0"),
    "nested too deep": (b'{"drain_timeout_s": ' + b"[" * 100_000, "expected JSON, got .*"),
    "a name twice": (
        b'{"drain_timeout_s": 1, "drain_\\u0074imeout_s": 2}',
        "expected each setting once, got 'drain_timeout_s' twice",
    ),
    "one origin as text": (
        b'{"allowed_origins": "https://a.example"}',
        'allowed_origins: expected `array`, got "https://a.example"',
    ),
    "a number as an origin": (b'{"allowed_origins": [1]}', "allowed_origins: expected .*str.*"),
    "not a number": (b'{"drain_timeout_s": NaN}', "expected JSON, got something else.*"),
}


TOO_LARGE = ["1e400", "1" + "0" * 400, "1" + "0" * 5000, "1e18"]
NO_NUMBERS = ["true", "null", '"30"', "[30]", "{}", "-1", "-1e400", *TOO_LARGE]
FRACTIONS = ["1.5", "1.0", "1e2"]
NUMBERS = [name for name in FIELDS if isinstance(getattr(Settings(), name), int | float)]


def is_whole(field: str) -> bool:
    return isinstance(getattr(Settings(), field), int)


@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_out_of_bounds_is_refused_with_what_was_expected_and_what_came(
    field: str, tmp_path: Path
) -> None:
    kind = "whole number" if is_whole(field) else "number"
    file = tmp_path / "settings.json"
    for value in (*NO_NUMBERS, *(FRACTIONS if is_whole(field) else ())):
        file.write_text(f'{{"{field}": {value}}}')
        with pytest.raises(ConfigurationError) as refused:
            read_settings(file)
        words = rf"settings file .*: {field}: expected a {kind} from [\d.,]+ to [\d.,]+, got (.*)"
        said = re.fullmatch(words, str(refused.value))
        assert said is not None, refused.value
        assert said[1] == value[:40]


@pytest.mark.parametrize("field", NUMBERS)
def test_a_program_is_refused_the_same_values(field: str) -> None:
    for value in (True, None, "30", [30], -1, math.inf, -math.inf, math.nan, 10**400, 1e18):
        for make in (Settings, partial(msgspec.structs.replace, Settings())):
            with pytest.raises(ConfigurationError, match=rf"^{field}: expected a .*, got "):
                make(**{field: value})


@pytest.mark.parametrize("field", ["token_leeway_s", "failed_login_s"])
def test_a_zero_with_a_sign_is_a_zero(field: str) -> None:
    assert getattr(Settings(**{field: -0.0}), field) == 0


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("retained_bytes", {"retained_bytes_total": 1_000_000}),
        ("retained_bytes", {"retained_bytes": 2**30}),
        ("max_connections_per_user", {"max_connections": 31}),
        ("max_connections_per_user", {"max_connections_per_user": 10_001}),
        ("token_leeway_s", {"token_lifetime_s": 29}),
        ("token_leeway_s", {"token_leeway_s": 901}),
    ],
    ids=str,
)
def test_values_at_odds_are_refused(field: str, values: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}: expected at most .*, [\d,.]+, got "):
        Settings(**values)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(os.strerror(errno.EISDIR))):
        read_settings(tmp_path)


def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigurationError, match="expected at most 67,108,864 bytes, got more"):
        read_settings(Path("/dev/zero"))


def test_a_pipe_in_which_nobody_writes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "SILENT_S", 0.01)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match=r"/pipe: nothing came for 0\.01 s$"):
        read_settings(tmp_path / "pipe")


def test_a_pipe_serves_as_a_file() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "w") as file:
        print('{"drain_timeout_s": 30}', file=file, flush=True)
        file.close()
        assert read_settings(Path(f"/dev/fd/{reader}")).drain_timeout_s == 30


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
    said = "drain_timeout_s: expected a number from 0.01 to 2,678,400, got -1"
    assert line == f"netra-ws: settings file {file}: {said}"
