"""Who a piece of work is done for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import uuid4

from netra_ws.errors import ContextError

SERVICE_PREFIX = "service:"
MAX_ID_LENGTH = 128


def check_id(name: str, value: object) -> str:
    """Return `value` if it can serve as an identifier on the wire and in a log line.

    Raises `ContextError` unless it is 1 to 128 printable characters without white space.
    """
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= MAX_ID_LENGTH
        or not value.isprintable()
        or any(character.isspace() for character in value)
    ):
        expected = f"1 to {MAX_ID_LENGTH} printable characters without white space"
        raise ContextError(name, value, expected)
    return value


def check_login_id(value: object) -> str:
    """Return `value` if it can be the id of a person: `check_id`, and no colon in it.

    The colon is what keeps service users (`service:health`) out of reach of any login or token.
    Raises `ContextError`.
    """
    user_id = check_id("user_id", value)
    if ":" in user_id:
        raise ContextError("user_id", value, "no colon, which marks service users")
    return user_id


def new_id(kind: str) -> str:
    """Return a fresh random identifier such as ``run-5f0c…`` (128 random bits)."""
    return f"{kind}-{uuid4().hex}"


@dataclass(frozen=True, slots=True)
class UserExecutionContext:
    """The user, thread, run and request that a piece of work belongs to.

    Immutable, so that it can be handed from task to task without one changing it for another.
    Raises `ContextError` for an identifier that `check_id` refuses.
    """

    user_id: str
    thread_id: str = field(default_factory=lambda: new_id("thread"))
    run_id: str = field(default_factory=lambda: new_id("run"))
    request_id: str = field(default_factory=lambda: new_id("request"))

    def __post_init__(self) -> None:
        """Check every identifier."""
        for name in ("user_id", "thread_id", "run_id", "request_id"):
            check_id(name, getattr(self, name))

    @classmethod
    def for_service(cls, name: str) -> UserExecutionContext:
        """Return a context for a probe of the service itself: user id ``service:NAME``."""
        return cls(user_id=f"{SERVICE_PREFIX}{name}")

    @property
    def is_service(self) -> bool:
        """Whether this is a service user and not a person."""
        return self.user_id.startswith(SERVICE_PREFIX)

    def for_run(self, thread_id: str | None = None) -> UserExecutionContext:
        """Return the context of a new run of the same user, in `thread_id` if one is given."""
        return replace(self, run_id=new_id("run"), thread_id=thread_id or self.thread_id)
