"""Logins for a deployment that somebody else runs: from a file, or from the environment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from netra_ws.auth.users import DemoUser
from netra_ws.decoding import decode, read_file
from netra_ws.errors import ConfigurationError, JsonError

VARIABLES = (
    ("STAGING_EMAIL", "STAGING_PASSWORD"),
    ("STAGING_EMAIL_2", "STAGING_PASSWORD_2"),
)
"""Email and password of each of the two users."""

HINT = (
    f". Two different users are needed, for isolation: set {', '.join(sum(VARIABLES, ()))}; "
    'or give netra-ws probe --logins FILE, a JSON list of {"email", "password"} or the line that '
    "netra-ws serve prints"
)


class _Announced(Struct, frozen=True):
    """What is read of the announcement of ``netra-ws serve``."""

    demo_users: list[DemoUser]


_LOGINS = msgspec.json.Decoder(list[DemoUser] | _Announced)


def read_logins(
    environ: Mapping[str, str] = os.environ, file: Path | None = None
) -> list[DemoUser]:
    """Return two or more logins of different users: those of `file`, or of the environment.

    A file is JSON: a list of ``{"email", "password"}``, or the announcement of ``netra-ws
    serve``. Without one, `VARIABLES` are read. Raises `ConfigurationError`, which never quotes a
    password, if a login is missing, empty or malformed, or if an email is there twice.
    """
    where, users = _of_file(file) if file is not None else _of_environment(environ)
    for number, user in enumerate(users, 1):
        empty = [name for name in ("email", "password") if not getattr(user, name)]
        if empty:
            raise ConfigurationError(
                f"{where}: user {number} has no {' and no '.join(empty)}{HINT}"
            )
    for email, times in Counter(user.email for user in users).items():
        if times > 1:
            raise ConfigurationError(f"{where}: {email} is there {times} times{HINT}")
    if len(users) < 2:
        raise ConfigurationError(f"{where}: expected two users or more, got {len(users)}{HINT}")
    return users


def _of_environment(environ: Mapping[str, str]) -> tuple[str, list[DemoUser]]:
    missing = [name for pair in VARIABLES for name in pair if not environ.get(name)]
    if missing:
        raise ConfigurationError(f"logins: {', '.join(missing)} not set{HINT}")
    users = [DemoUser(environ[email], environ[password]) for email, password in VARIABLES]
    return f"logins of {' and '.join(email for email, _ in VARIABLES)}", users


def _of_file(path: Path) -> tuple[str, list[DemoUser]]:
    where = f"logins file {path}"
    try:
        found = decode(read_file(path, "logins file"), _LOGINS, "logins")
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}{HINT}") from error
    except JsonError as error:
        raise ConfigurationError(f"{where}: {error}{HINT}") from error
    return where, found if isinstance(found, list) else found.demo_users
