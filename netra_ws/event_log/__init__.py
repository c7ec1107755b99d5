"""One log per user, and cursors over it: the idea that carries delivery.

Every event is appended once to its user's log and encoded once. Every connection is a cursor over
the log of the user it authenticated as, and so cannot be given another user's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """A place in one user's log: just after the event `seq` of the log named `epoch`."""

    epoch: str
    seq: int


class Cursor(Protocol):
    """A reader's place in one user's log."""

    seq: int
    """The number of the last event that was taken."""

    recovered: bool | None
    """Whether nothing was lost; `None` if no position was asked for."""

    lost: int | None
    """How many events were lost; `None` if that is not known."""

    @property
    def position(self) -> Position:
        """The place up to which everything was taken."""

    @property
    def head(self) -> int:
        """The number of the newest event in the log."""

    @property
    def pending(self) -> int:
        """How many events wait to be taken."""

    @property
    def half_behind(self) -> bool:
        """Whether half of what the log retains waits to be taken: more could push it out."""

    @property
    def trimmed_by(self) -> str:
        """The setting because of which events left the log last, empty if none ever did."""

    def take(self, max_bytes: int) -> list[bytes]:
        """Return the next events as sent: as many as fit into `max_bytes`, at least one if any.

        Raises `CursorBehind` if events left the retained window before they were taken.
        """

    def close(self) -> None:
        """Stop waking; harmless when repeated."""


class UserLog(Protocol):
    """The events of one user, numbered from 1 without a gap."""

    epoch: str
    """The name of this log; new whenever it loses its history."""

    head: int
    """The `seq` of the newest event, 0 before the first."""

    @property
    def half_behind(self) -> bool:
        """Whether a cursor is half of what the log retains behind."""

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        """Append the event that `encode` makes of `epoch` and `seq`, wake the cursors, return it.

        Nothing is appended if `encode` raises.
        """

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> Cursor:
        """Return a cursor just after `after`, or at the head.

        `wake` is called at every append; it must return at once. A position that this log cannot
        continue from gives a cursor with `recovered` false, at the oldest event that is left.
        """


class EventLog(Protocol):
    """The logs of all users."""

    def user(self, user_id: str) -> UserLog:
        """Return the log of one user, the same one at each call."""

    def drop(self, user_id: str) -> None:
        """Forget the log of a user who has no cursor, if there is one; the next has a new epoch."""
