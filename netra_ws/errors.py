"""The errors of this package, and the close codes of its connections.

Of the private close codes (RFC 6455, 7.4) 4000-4499 means "reconnect", 4500-4999 "do not".
"""

from __future__ import annotations

from enum import IntEnum


class NetraError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code = 2
    """Of a command that ends with it: 2, it could not be done as asked; 1, the answer is no."""


class ConfigurationError(NetraError):
    """Raised when a process cannot start with the options or the environment it was given."""


class JsonError(NetraError):
    """Raised when what somebody gave is not UTF-8, not JSON or nested too deep."""


class JsonShapeError(JsonError):
    """Raised when JSON that somebody gave is not what was expected."""


class ContextError(NetraError, ValueError):
    """Raised when a field of a user execution context is empty, too long or not printable."""


class GrammarError(NetraError):
    """Raised when an event does not fit the grammar of its run."""


class EventRefused(NetraError):
    """Raised to an agent whose event is not JSON, too large, or from another thread."""


class TokenError(NetraError):
    """Raised when a bearer token is missing, malformed, forged, expired or for somebody else."""


class LoginError(NetraError):
    """Raised when a login fails; `status` is that of HTTP, `None` without an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CursorBehind(NetraError):
    """Raised when events were trimmed from a log before a cursor had read them."""


class TooCostly(NetraError):
    """Raised when a text takes more time or memory to parse than is allowed."""


class RequestRefused(NetraError):
    """Raised when what a client asks cannot be done; `code` is that of the typed `error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MessageTooLarge(RequestRefused):
    """Raised when a message is larger than its server takes; the connection lives on."""

    def __init__(self, message: str) -> None:
        super().__init__("message_too_large", message)


class RunRefused(RequestRefused):
    """Raised when a run may not start now; `code` is that of the typed `error`."""


class HandshakeRefused(NetraError):
    """Raised when an opening handshake does not succeed; `status` is `None` without an answer."""

    def __init__(self, url: str, status: int | None, why: str) -> None:
        got = "no answer" if status is None else str(status)
        super().__init__(f"{url}: expected 101, got {got} ({why})")
        self.status = status


class ConnectionEnded(NetraError):
    """Raised when a connection ends while its user still waits; `code` is 1006 without a frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection ended with close code {code}, reason {reason!r}")
        self.code = code
        self.reason = reason


class EventTooLarge(ConnectionEnded):
    """Raised when the server sends more in one message than this side takes."""


class EventGap(NetraError):
    """Raised when an event is not the one that comes next: those before it are missing."""

    def __init__(self, expected: int, got: int, *, same_epoch: bool) -> None:
        of_which = "" if same_epoch else " of another epoch"
        super().__init__(f"expected event {expected}, got {got}{of_which}")


class EventsLost(NetraError):
    """Raised when a reconnected client has missed `lost` events for good, `None` if not known."""

    def __init__(self, lost: int | None) -> None:
        super().__init__(f"{'an unknown number of' if lost is None else lost} events were lost")
        self.lost = lost


class RunUnconfirmed(NetraError):
    """Raised when a connection ended before it was known whether its last message arrived."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"no run of {thread_id} has begun; the message was lost, or is late")


class RunUnfinished(NetraError, TimeoutError):
    """Raised when a run takes longer than its `limit_s`; `Client.follow` waits for its end.

    `run_id` is `None` where none of its events had come; follow its `thread_id` then.
    """

    def __init__(self, run_id: str | None, thread_id: str, events: int, limit_s: float) -> None:
        super().__init__(
            f"no agent_completed of {run_id or thread_id} within {limit_s:g} s, after {events} "
            "events; it may go on: wait for it with follow()"
        )
        self.run_id = run_id
        self.thread_id = thread_id


class IncompleteRun(NetraError):
    """Raised when the events received of a run break its grammar, its count or its digest."""


def reason(error: Exception) -> str:
    """Return why something failed, in the words of the system where it has any."""
    return getattr(error, "strerror", None) or str(error)


class CloseCode(IntEnum):
    """The close codes that a client can meet, and what each one means."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> CloseCode:
        """Attach the meaning to the number."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    NORMAL = 1000, "the client or the server is done"
    PROTOCOL_ERROR = 1002, "the peer broke RFC 6455"
    INVALID_DATA = 1007, "a text message was not UTF-8"
    MESSAGE_TOO_BIG = 1009, "a message was larger than max_message_bytes"
    INTERNAL_ERROR = 1011, "the handler failed, or no byte came for ping_timeout_s after a ping"
    SERVICE_RESTART = 1012, "the server is stopping; reconnect"
    SLOW_CONSUMER = 4001, "a write stalled for longer than write_timeout_s; reconnect and resume"
    FELL_BEHIND = 4002, "the reader was slower than the retained window; reconnect and resume"
    TOKEN_EXPIRED = 4003, "the token expired; log in again, reconnect and resume"
    TOO_FAST = 4004, "more than max_messages_per_s or max_pings_per_s; reconnect, and send slower"
    NO_ROOM = 4005, "max_connections_per_user others answer, or this one did not; reconnect"
    TOO_MANY_CONNECTIONS = 4501, "no longer sent: 4005 has taken its place"
    TOKEN_REVOKED = 4502, "the token was revoked; log in again"
