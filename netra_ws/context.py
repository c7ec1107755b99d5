"""Who a piece of work is done for."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec
from msgspec import Struct

from netra_ws.errors import ContextError

SERVICE_PREFIX = "service:"
MAX_ID_LENGTH = 128


def check_id(name: str, value: object) -> str:
    """Return `value` if it can be an identifier on the wire, else raise `ContextError`."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= MAX_ID_LENGTH
        or not value.isprintable()
        or " " in value  # the one white space that is printable
    ):
        expected = f"1 to {MAX_ID_LENGTH} printable characters without white space"
        raise ContextError(f"{name}: expected {expected}, got {value!r}")
    return value


def check_login_id(value: object) -> str:
    """Return `value` if a person can have it as id: as `check_id`, and without a colon."""
    user_id = check_id("user_id", value)
    if ":" in user_id:
        expected = "no colon, which marks service users"
        raise ContextError(f"user_id: expected {expected}, got {value!r}")
    return user_id


def is_service(user_id: str) -> bool:
    """Whether this is the id of a probe of the service itself and not of a person."""
    return user_id.startswith(SERVICE_PREFIX)


_random: list[str] = []
"""128 random bits each, in hex: a system call for each id would be a twentieth of what a run of
five events costs (measured)."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.clear)


def new_id(kind: str) -> str:
    """Return a fresh random identifier such as ``run-5f0c…`` (128 random bits)."""
    if not _random:
        bits = os.urandom(16 * 256).hex()
        _random.extend(bits[start : start + 32] for start in range(0, len(bits), 32))
    return f"{kind}-{_random.pop()}"


class Claims(NamedTuple):
    """A verified token; times in s since 1970, `not_before` the later one of `nbf` and `iat`."""

    user_id: str
    token_id: str
    not_before: float
    expires_at: float


class UserExecutionContext(Struct, frozen=True):
    """The user, thread, run and request of a piece of work; `check_id` checks each."""

    user_id: str
    thread_id: str = msgspec.field(default_factory=lambda: new_id("thread"))
    run_id: str = msgspec.field(default_factory=lambda: new_id("run"))
    request_id: str = msgspec.field(default_factory=lambda: new_id("request"))

    def __post_init__(self) -> None:
        check_id("user_id", self.user_id)
        check_id("thread_id", self.thread_id)
        check_id("run_id", self.run_id)
        check_id("request_id", self.request_id)

    @classmethod
    def for_service(cls, name: str) -> UserExecutionContext:
        """Return a context for a probe of the service itself: user id ``service:NAME``."""
        return cls(user_id=f"{SERVICE_PREFIX}{name}")

    def for_run(self, thread_id: str | None = None) -> UserExecutionContext:
        """Return the context of a new run of the same user, in `thread_id` if one is given."""
        thread_id = self.thread_id if thread_id is None else thread_id
        return UserExecutionContext(self.user_id, thread_id, new_id("run"), self.request_id)
