"""When events arrived: the times that figures draw, counted from the question of the session."""

from __future__ import annotations

from typing import NamedTuple

from netra_incident.measuring.load import Session


class Arrival(NamedTuple):
    """One event: its type, milliseconds since the user asked, and whether it is the user's own."""

    type: str
    ms: float
    own: bool


def milliseconds(session: Session, at: float) -> float:
    """Return how long after the question of a session a moment was.

    A session that was refused never asked; it counts from its beginning.
    """
    return (at - (session.asked or session.began)) * 1000


def arrivals(session: Session) -> list[Arrival]:
    """Return the events of a session in the order in which they came."""
    return [
        Arrival(
            str(event.__struct_config__.tag),
            milliseconds(session, at),
            event.user_id == session.user_id,
        )
        for at, _, event in session.events
    ]
