"""The users of the login service and their password hashes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from msgspec import Struct

from netra_ws.context import check_login_id
from netra_ws.decoding import decode, read_file
from netra_ws.errors import ConfigurationError, ContextError, JsonError

# The defaults of argon2-cffi are the low-memory profile of RFC 9106 section 4.
_hasher = PasswordHasher()
# The passwords of demo users carry 128 random bits: no dictionary holds them, and there is
# nothing for a slow hash to protect. Twenty of them must not delay a start by two seconds.
_demo_hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)

ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=(\d+)\$m=(\d+),t=(\d+),p=(\d+)"
    r"\$([A-Za-z0-9+/]{11,})\$([A-Za-z0-9+/]{22,})",
    re.ASCII,
)
"""An encoded hash: its type, version and costs, then salt and tag of 8 and 16 bytes or more
(RFC 9106 section 3.1, in base64 without padding)."""

VERSIONS = {0x10, 0x13}

MAX_DIGITS = 10
"""Of a number of 32 bits."""

MAX_PARALLELISM = 255
"""As the PHC string format has it."""

MAX_MEMORY_KIB = 4 * 1024 * 1024
"""Twice the more costly of the two profiles of RFC 9106 section 4."""

MAX_WORK_KIB = 4 * MAX_MEMORY_KIB
"""Memory times passes: some ten seconds of one core for one login."""


def _is_possible(found: re.Match[str]) -> bool:
    """Whether a password can be checked against what `ARGON2` found."""
    costs = found.group(1, 2, 3, 4)
    if any(len(cost) > MAX_DIGITS or cost.startswith("0") for cost in costs):
        return False
    version, memory, passes, parallelism = map(int, costs)
    return (
        version in VERSIONS
        and parallelism <= MAX_PARALLELISM
        and 8 * parallelism <= memory <= MAX_MEMORY_KIB
        and memory * passes <= MAX_WORK_KIB
        and all(_is_base64(part) for part in found.group(5, 6))
    )


def _is_base64(text: str) -> bool:
    """Whether this is base64 without padding, with no bit set beyond the last byte."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False
    return base64.b64encode(data).rstrip(b"=") == text.encode()


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`, salt and parameters included."""
    return _hasher.hash(password)


class User(Struct, frozen=True, forbid_unknown_fields=True):
    """One user, as in a users file: `argon2` is what `netra-ws hash-password` prints."""

    email: str
    id: str
    argon2: str


_USERS = msgspec.json.Decoder(list[User])


class DemoUser(Struct, frozen=True):
    """A login that can be posted to ``/auth/login`` as it stands."""

    email: str
    password: str


class UserStore:
    """Users by email. Raises `ConfigurationError` for a doubled email or id, or a broken one."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users: dict[str, User] = {}
        ids: set[str] = set()
        for user in users:
            try:
                check_login_id(user.id)
            except ContextError as error:
                raise ConfigurationError(f"user {user.email!r}: {error}") from error
            found = ARGON2.fullmatch(user.argon2)
            if found is None or not _is_possible(found):
                what = "possible parameters in an argon2 hash" if found else "an argon2 hash"
                msg = f"user {user.email!r}: expected {what}; netra-ws hash-password"
                raise ConfigurationError(f"{msg} makes one")
            if user.email in self._users or user.id in ids:
                raise ConfigurationError(f"user {user.email!r}: that email or id is there twice")
            ids.add(user.id)
            self._users[user.email] = user
        # A login of nobody is checked against somebody's hash, or its speed would tell that
        # nobody has that email.
        self._decoy = next(iter(self._users.values())).argon2 if self._users else hash_password("")

    def __len__(self) -> int:
        return len(self._users)

    def authenticate(self, email: str, password: str) -> User | None:
        """Return the user with that email and password, or `None`; takes the time of one hash.

        An email is compared as it is written: `Ann@x` is not `ann@x`. Raises an error of argon2 or
        `MemoryError` if the hash cannot be computed.
        """
        user = self._users.get(email)
        try:
            _hasher.verify(user.argon2 if user else self._decoy, password)
        except VerifyMismatchError:
            return None
        return user


def read_users(path: Path) -> UserStore:
    """Return the users of a JSON file ``[{"email", "id", "argon2"}, …]``.

    Raises `ConfigurationError` if it cannot be read, does not hold that, or holds nobody.
    """
    data = read_file(path, "users file")
    try:
        users = decode(data, _USERS, 'a list of {"email", "id", "argon2"}')
        if not users:
            raise ConfigurationError("expected one user or more, got none: nobody could log in")
        return UserStore(users)
    except (JsonError, ConfigurationError) as error:
        raise ConfigurationError(f"users file {path}: {error}") from error


def make_demo_users(count: int) -> tuple[UserStore, list[DemoUser]]:
    """Return `count` users with random passwords, and their logins."""
    logins = [DemoUser(f"user{n}@demo.example", token_urlsafe(16)) for n in range(1, count + 1)]
    users = [
        User(login.email, f"user{n}", _demo_hasher.hash(login.password))
        for n, login in enumerate(logins, 1)
    ]
    return UserStore(users), logins
