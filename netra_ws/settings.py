"""Every limit in force: its unit is the end of its name, its reason stands beside it.

What happens past a limit is said by a close code, a typed error or an HTTP answer, and with the
name of the limit by a log line ``limit exceeded`` and ``netra_ws_limit_exceeded_total``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from netra_ws.decoding import decode
from netra_ws.errors import ConfigurationError, JsonError

Positive = Meta(gt=0)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of one process, shown as they are by ``GET /ws/config``."""

    max_message_bytes: Annotated[int, Positive] = 64 * 1024
    """Largest message of a client: a source file fits. A larger one closes with 1009."""

    max_messages_per_s: Annotated[float, Positive] = 20.0
    """Messages of one connection, on average over `rate_window_s`: a person types one, a program
    that stops runs sends a few. More closes with 4004."""

    max_pings_per_s: Annotated[float, Positive] = 2.0
    """Ping frames of one connection, and pongs that nobody asked for, on average over
    `rate_window_s`. websockets answers each ping at once and bounds neither (measured: 300,000
    unread pongs take 30 MB). More closes with 4004."""

    rate_window_s: Annotated[float, Positive] = 10.0
    """Seconds over which a rate is an average: what a client may send at once is the rate times
    this, so that a burst after a reconnect is no offence."""

    retained_events: Annotated[int, Positive] = 256
    """Events kept per user for resuming: some fifty runs of five events. It is also the lag that
    a connection may have: one that is further behind is closed with 4002."""

    retained_bytes: Annotated[int, Positive] = 2 * 1024 * 1024
    """Bytes of events kept per user, whichever of the two bounds is met first: twice what all
    runs of a user can echo of their messages at once."""

    retained_bytes_total: Annotated[int, Positive] = 256 * 1024 * 1024
    """Bytes of events kept for all users together: what a small machine can spare. Past it the
    oldest events of the user who has been silent for longest go first."""

    idle_log_s: Annotated[float, Positive] = 3600.0
    """Seconds that a user's log stays without a connection or a run: a lunch break. A position in
    a log that has gone is answered with `recovered: false`."""

    service_retained_events: Annotated[int, Positive] = 8
    """Events kept per service user: a probe needs its own canary and nothing older."""

    max_runs_per_user: Annotated[int, Positive] = 16
    """Runs of one user at a time, so that one user cannot take the event loop from others. More
    is answered with the typed error `too_many_runs`."""

    max_threads_per_user: Annotated[int, Positive] = 4
    """Threads that the runs of one user have for `asyncio.to_thread`, those included that go on
    after a run was stopped: so that what hangs for one user holds up nobody else. More wait."""

    max_threads: Annotated[int, Positive] = 32
    """Threads that the runs of all users have, without those that a stopped run has left: as many
    as Python's own executor has at most. More wait, and users take turns."""

    max_connections_per_user: Annotated[int, Positive] = 32
    """Connections of one user at a time: a person's tabs, not a loop gone wrong. More are closed
    with 4501."""

    max_connections: Annotated[int, Positive] = 10_000
    """WebSocket connections of the process: half a gigabyte at 50 KiB each, of which 14 are an
    idle connection's (measured) and the rest its user's events. More are answered with 503 in
    place of the upgrade."""

    max_pending_connections: Annotated[int, Positive] = 2000
    """TCP connections of one service that are no WebSocket: handshakes, plain requests, logins, and
    refused clients that stay. With one more the oldest is answered with 503 and closed, so that
    connections which send nothing do not keep out clients that ask."""

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may connect and log in, compared as they are, beside the backend's own.
    Another one is answered with 403, so that no stranger's page uses a visitor's token. A client
    that is no browser sends none, and may connect."""

    run_timeout_s: Annotated[float, Positive] = 300.0
    """Seconds after which a run is ended as failed, so that every run ends."""

    stop_timeout_s: Annotated[float, Positive] = 0.25
    """Seconds that the agent of a stopped run has to end: agents clean up, people wait. Then the
    run ends without it."""

    drain_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds that runs have to finish when the process is told to stop; one second later it is
    gone: a third of what orchestrators commonly wait before they kill."""

    write_high_water_bytes: Annotated[int, Positive] = 64 * 1024
    """Unsent bytes of a connection above which nothing more is written until it has drained: more
    would be held twice, here and in the log."""

    write_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds that a connection may stay above the high-water mark: a train is as long in a tunnel.
    Then it is closed with 4001: the keepalive does not end a stalled reader (measured with
    websockets 17.4)."""

    open_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds for the opening handshake, against connections that send it byte by byte: 408."""

    close_timeout_s: Annotated[float, Positive] = 2.0
    """Seconds for the closing handshake, whoever began it: some round trips. A client that answers
    later, or leaves its end of TCP open, is dropped."""

    ping_interval_s: Annotated[float, Positive] = 20.0
    """Seconds of silence after which a client is pinged, and again as long as it is silent: below
    the minute after which proxies drop idle connections."""

    ping_timeout_s: Annotated[float, Positive] = 20.0
    """Seconds after a ping without a sign of life that end the connection with 1011. Any byte from
    the client is a sign: its pong may wait behind what it sent before. So is each byte it takes:
    the ping may wait behind those. A client that takes nothing meets `write_timeout_s`."""

    canary_timeout_s: Annotated[float, Positive] = 1.0
    """Seconds for the health check's canary to go through a manager and its log; then the answer is
    503. It takes far less than a millisecond: a second is what balancers commonly wait."""

    token_lifetime_s: Annotated[float, Positive] = 900.0
    """Seconds a token is valid for: long enough to work, too short to be worth stealing. One
    that was signed for longer is refused, whoever signed it."""

    token_leeway_s: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds of clock difference between the two services that a token survives: clocks that are
    set over the network differ by less."""

    max_failed_logins: Annotated[int, Positive] = 5
    """Failed logins of one email from one address within `failed_login_window_s`; more are
    answered with 429 and not looked at: at that rate a million guesses take 138 days."""

    failed_login_window_s: Annotated[float, Positive] = 60.0
    """Seconds in which `max_failed_logins` are forgiven: a person who mistyped waits no longer."""

    failed_login_s: Annotated[float, Meta(ge=0)] = 0.25
    """Seconds that a failed login takes at least: twice what a hash takes (measured: a median of
    0.13 s on two cores, n = 30), so that its time does not tell whether somebody has that email."""

    max_waiting_logins: Annotated[int, Positive] = 100
    """Logins that wait for their hash, those being hashed included: fourteen seconds of work for
    two cores (seven hashes a second, measured). More are answered with 503."""


_SETTINGS = msgspec.json.Decoder(Settings)


def read_settings(path: Path) -> Settings:
    """Return the settings of a JSON file with some of the fields of `Settings`.

    Raises `ConfigurationError` if it cannot be read, names an unknown field or a value that is out
    of range.
    """
    try:
        return decode(path.read_bytes(), _SETTINGS, "an object with limits")
    except OSError as error:
        raise ConfigurationError(f"settings file {path}: {error.strerror}") from error
    except JsonError as error:
        raise ConfigurationError(f"settings file {path}: {error}") from error
