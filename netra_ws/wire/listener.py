"""Who is told what happens on a socket."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Who is told what happens on a socket; each call must return at once."""

    def hear(self, message: str | bytes) -> None:
        """Take a message; what this raises closes the connection with 1011."""

    def drained(self) -> None:
        """Write on if there is room: the buffer has drained, or the end has been decided."""

    def lost(self) -> None:
        """Let go: the connection has ended, however it came."""
