"""Every limit in force: its unit is the end of its name, its reason stands beside it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Positive = Meta(gt=0)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of one backend process, shown as they are by ``GET /ws/config``."""

    max_message_bytes: Annotated[int, Positive] = 64 * 1024
    """Largest message of a client. A source file fits; a larger one closes with 1009."""

    retained_events: Annotated[int, Positive] = 256
    """Events kept per user for resuming: some fifty runs of five events."""

    retained_bytes: Annotated[int, Positive] = 2 * 1024 * 1024
    """Bytes of events kept per user, whichever of the two bounds is met first: twice what all
    runs of a user can echo of their messages at once."""

    service_retained_events: Annotated[int, Positive] = 8
    """Events kept per service user: a probe needs its own canary and nothing older."""

    max_runs_per_user: Annotated[int, Positive] = 16
    """Runs of one user at a time, so that one user cannot take the event loop from others."""

    max_connections_per_user: Annotated[int, Positive] = 32
    """Connections of one user at a time: a person's tabs, not a loop gone wrong."""

    run_timeout_s: Annotated[float, Positive] = 300.0
    """Seconds after which a run is ended as failed, so that every run ends."""

    stop_timeout_s: Annotated[float, Positive] = 1.0
    """Seconds that runs have to end by themselves when the server stops."""

    write_high_water_bytes: Annotated[int, Positive] = 64 * 1024
    """Unsent bytes in a connection's buffer above which its cursor waits for the socket."""

    write_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds that one write may wait for a reader. The keepalive does not end a stalled reader:
    above the high-water mark its pong timer never starts (measured with websockets 17.4)."""

    open_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds for the opening handshake, against connections that send it byte by byte."""

    close_timeout_s: Annotated[float, Positive] = 2.0
    """Seconds for the closing handshake; with it a stop of the idle process stays below 5 s."""

    ping_interval_s: Annotated[float, Positive] = 20.0
    """Seconds between keepalive pings: below the minute after which proxies drop idle ones."""

    ping_timeout_s: Annotated[float, Positive] = 20.0
    """Seconds after which a ping without its pong ends the connection."""

    canary_timeout_s: Annotated[float, Positive] = 1.0
    """Seconds for the health check's canary to go through a manager and its log."""

    token_lifetime_s: Annotated[float, Positive] = 900.0
    """Seconds a token is valid for: long enough to work, too short to be worth stealing."""

    token_leeway_s: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds of clock difference between the two services that a token survives."""
