"""One log per user, and cursors over it: the idea that carries delivery.

Every event is appended once to its user's log and encoded once. Every connection is a cursor over
the log of the user it authenticated as, and so cannot be given another user's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # a client needs `Position`, and no log
    from netra_ws.event_log.memory import Cursor


class Position(NamedTuple):
    """A place in one user's log: just after the event `seq` of the log named `epoch`."""

    epoch: str
    seq: int


START = Position("", 0)
"""Before the oldest event that a log keeps, whatever its epoch."""


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
        """Append and return what `encode` makes of `epoch` and `seq`; if it raises, nothing."""

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> Cursor:
        """Return a cursor just after `after`, at the head if that is `None`.

        `wake` is called at every append; it must return at once. A position that this log cannot
        continue from gives a cursor with `recovered` false, at the oldest event that is left.
        """


class EventLog(Protocol):
    """The logs of all users."""

    def user(self, user_id: str) -> UserLog:
        """Return the log of one user, the same one at each call."""

    def drop(self, user_id: str) -> None:
        """Forget the log of a user who has no cursor, if there is one.

        The next one has a new epoch, but that of a log which never had an event.
        """
