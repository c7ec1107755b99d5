"""Logins of somebody else's deployment: from a file, or from the environment."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from netra_incident.probe.logins import read_logins
from netra_ws.auth.users import DemoUser
from netra_ws.errors import ConfigurationError

SET = {
    "STAGING_EMAIL": "ann@x",
    "STAGING_PASSWORD": "hunter2",
    "STAGING_EMAIL_2": "bob@x",
    "STAGING_PASSWORD_2": "swordfish",
}
ANN, BOB = DemoUser("ann@x", "hunter2"), DemoUser("bob@x", "swordfish")
BOTH_WAYS = (*SET, "--logins FILE", '{"email", "password"}', "netra-ws serve")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logins.json"


def listed(*users: DemoUser) -> str:
    return json.dumps([{"email": user.email, "password": user.password} for user in users])


def test_the_environment_holds_two_users() -> None:
    assert read_logins(SET) == [ANN, BOB]


def test_without_an_argument_it_is_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    assert read_logins() == [ANN, BOB]


def test_a_file_is_a_list_of_users(file: Path) -> None:
    carl = DemoUser("carl@x", "opensesame")
    file.write_text(listed(ANN, BOB, carl))
    assert read_logins({}, file) == [ANN, BOB, carl]


def test_a_file_is_the_line_that_serve_prints(file: Path) -> None:
    announced = {"backend": "http://x", "auth": None, "revision": "fixed", "pid": 1}
    line = announced | {"demo_users": json.loads(listed(ANN, BOB))}
    file.write_text(json.dumps(line) + "\n")
    assert read_logins({}, file) == [ANN, BOB]


def test_a_file_comes_before_the_environment(file: Path) -> None:
    file.write_text(listed(BOB, ANN))
    assert read_logins(SET, file) == [BOB, ANN]


def refusal(environ: dict[str, str], file: Path | None = None) -> str:
    """Return why there are no logins; both ways to give them must be named in it."""
    with pytest.raises(ConfigurationError) as refused:
        read_logins(environ, file)
    why = str(refused.value)
    for way in BOTH_WAYS:
        assert way in why
    assert not any(user.password in why for user in (ANN, BOB))
    return why


@pytest.mark.parametrize("missing", [*SET, *([name] for name in SET), list(SET)], ids=str)
def test_what_is_missing_in_the_environment_is_named_and_nothing_else(
    missing: str | list[str],
) -> None:
    """A name: it is empty; names in a list: they are not set."""
    if isinstance(missing, str):
        environ, names = SET | {missing: ""}, [missing]
    else:
        environ, names = {name: SET[name] for name in SET if name not in missing}, missing
    assert refusal(environ).startswith(f"logins: {', '.join(names)} not set. ")


def test_the_two_users_of_the_environment_are_different() -> None:
    why = refusal(SET | {"STAGING_EMAIL_2": "ann@x"})
    assert why.startswith("logins of STAGING_EMAIL and STAGING_EMAIL_2: ann@x is there 2 times. ")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "expected JSON, got nothing"),
        ("{", "expected JSON, got an early end in line 1, column 2"),
        ("ann@x hunter2", "expected JSON, got something else in line 1, column 1"),
        ("3", "expected logins; "),
        ("{}", "demo_users"),
        ("[]", "expected two users or more, got 0"),
        ('{"demo_users": []}', "expected two users or more, got 0"),
        (listed(ANN), "expected two users or more, got 1"),
        (listed(ANN, BOB, ANN), "ann@x is there 2 times"),
        ('[{"email": "ann@x"}]', "password"),
        ('[{"email": "ann@x", "password": 7}]', "expected logins; "),
        (listed(ANN, DemoUser("bob@x", "")), "user 2 has no password"),
        (listed(DemoUser("", ""), BOB), "user 1 has no email and no password"),
        (
            b'[{"email": "ann@x", "password": "hunter2\xe4"}]',
            "expected UTF-8, got something else at byte ",
        ),
        ("[" * 100_000, "expected logins; "),
    ],
)
def test_what_is_wrong_with_a_file_is_said(file: Path, content: str | bytes, why: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refusal({}, file)
    assert said.startswith(f"logins file {file}: ")
    assert why.casefold() in said.partition(". Two different")[0].casefold()


def test_a_file_that_cannot_be_read_is_said(file: Path, tmp_path: Path) -> None:
    assert refusal({}, file).startswith(f"logins file {file}: {os.strerror(errno.ENOENT)}. ")
    assert refusal(SET, tmp_path).startswith(
        f"logins file {tmp_path}: {os.strerror(errno.EISDIR)}. "
    )
