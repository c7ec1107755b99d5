"""Every limit in force: its unit is the end of its name, its reason stands beside it.

What happens past a limit is said by a close code, a typed error or an HTTP answer, and with the
name of the limit by a log line ``limit exceeded`` and ``netra_ws_limit_exceeded_total``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from netra_ws.addresses import Header, read_network
from netra_ws.decoding import decode, read_file
from netra_ws.errors import ConfigurationError, JsonError
from netra_ws.origins import read_origin, read_public_url

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
"""With none nothing is served; one process does not have a million of anything here."""

Events = Annotated[int, Meta(ge=2, le=1_000_000)]
"""With one the second pushes the first out before it is read; a million fill a gigabyte."""

Bytes = Annotated[int, Meta(ge=1000, le=2**30)]
"""A token has some hundred bytes, and is renewed by a message; from 2³¹ on counters of the system
overflow."""

TotalBytes = Annotated[int, Meta(ge=1000, le=2**40)]
"""As much as one user; no machine has more than a tebibyte to spare."""

PerSecond = Annotated[float, Meta(ge=0.0001, le=1_000_000)]
"""One in three hours is next to none; a million is more than a core takes."""

Seconds = Annotated[float, Meta(ge=0.01, le=2_678_400)]
"""A busy event loop has turns of some milliseconds; no process waits for longer than a month."""

NetworkSeconds = Annotated[float, Meta(ge=0.1, le=86_400)]
"""A round trip is shorter on most lines; what is silent for a day does not come back."""

TokenSeconds = Annotated[float, Meta(ge=2, le=2_678_400)]
"""A token ends at a whole second, up to one early; a stolen one is good for a month at most."""

AnswerSeconds = Annotated[float, Meta(ge=0, le=60)]
"""None where there is nothing to hide; nobody waits for an answer for more than a minute."""

LeewaySeconds = Annotated[float, Meta(ge=0, le=3600)]
"""None where there is one clock; one that is wrong by more than an hour is broken."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of one process, shown as they are by ``GET /ws/config``.

    Raises `ConfigurationError` for a value that is out of range, or at odds with another one.
    """

    max_message_bytes: Bytes = 64 * 1024
    """Largest message of a client: a source file fits. A larger one closes with 1009."""

    max_event_bytes: Bytes = 1024 * 1024
    """Largest event, its envelope included: a page of results fits. A larger one is refused to the
    agent or tool that made it. At least 6 times `max_message_bytes` and 4 KiB: so long can the echo
    of a message be, whose signs may take six bytes each."""

    max_messages_per_s: PerSecond = 20.0
    """Messages of one connection, on average over `rate_window_s`: a person types one, a program
    that stops runs sends a few. More closes with 4004. A user may start as many runs with an `id`,
    on all connections together and on average over `idle_log_s`, for which ids are kept: more are
    answered with the typed error `too_many_ids`."""

    max_pings_per_s: PerSecond = 2.0
    """Ping frames of one connection, and pongs that nobody asked for, on average over
    `rate_window_s`. websockets answers each ping at once and bounds neither (measured: 300,000
    unread pongs take 30 MB). More closes with 4004."""

    rate_window_s: Seconds = 10.0
    """Seconds over which a rate is an average: what a client may send at once is the rate times
    this, so that a burst after a reconnect is no offence."""

    retained_events: Events = 256
    """Events kept per user for resuming: some fifty runs of five events. It is also the lag that
    a connection may have: one that is further behind is closed with 4002."""

    retained_bytes: Bytes = 2 * 1024 * 1024
    """Bytes of events kept per user, whichever of the two bounds is met first: twice what all
    runs of a user can echo of their messages at once. At least twice `max_event_bytes`: while one
    event is written, there is room for the next."""

    retained_bytes_total: TotalBytes = 256 * 1024 * 1024
    """Bytes of events kept for all users together: what a small machine can spare. Past it the
    oldest events of the user who has been silent for longest go first."""

    idle_log_s: Seconds = 3600.0
    """Seconds that a user's log stays without a connection or a run: a lunch break. A position in
    a log that has gone is answered with `recovered: false`."""

    service_retained_events: Count = 8
    """Events kept per service user: a probe needs its own canary and nothing older."""

    max_runs_per_user: Count = 16
    """Runs of one user at a time, so that one user cannot take the event loop from others. More
    is answered with the typed error `too_many_runs`."""

    max_connections_per_user: Count = 32
    """Connections of one user at a time: a person's tabs, not a loop gone wrong. With one more all
    are pinged: who sends no byte within 2 s makes room, or else the new one is closed with 4005."""

    max_threads_per_user: Count = 4
    """Threads that the runs of one user have for `asyncio.to_thread`, those included that go on
    after a run was stopped: so that what hangs for one user holds up nobody else. More wait."""

    max_threads: Count = 32
    """Threads that the runs of all users have, without those that a stopped run has left: as many
    as Python's own executor has at most. More wait, and users take turns."""

    max_connections: Count = 10_000
    """WebSocket connections of the process: half a gigabyte at 50 KiB each, of which 8 are an
    idle connection's (measured) and the rest its user's events. More are answered with 503 in
    place of the upgrade."""

    max_pending_connections: Count = 2000
    """TCP connections of one service that are no WebSocket: handshakes, plain requests, logins, and
    refused clients that stay. With one more the oldest is answered with 503 and closed, so that
    connections which send nothing do not keep out clients that ask."""

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may log in, connect and log out, beside the backend's own: loopback and
    the addresses of its interfaces, as far as it listens there. A slash at the end and upper case
    make no difference here, `*` is refused. Another origin is answered with 403, so that no
    stranger's page uses a visitor's token. A client that is no browser sends none, and may
    connect."""

    public_url: str = ""
    """Where people open the live page behind a proxy: its origin is the backend's own. It is not
    read from the `Host` header, so that no name which leads here is trusted by itself."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks, such as `10.0.0.0/8`, of the proxies in front of the services: they
    name the client's address. Nobody else can, so that nobody is counted as another client."""

    client_address_header: Header = "X-Forwarded-For"
    """The header in which they do, `X-Forwarded-For` or `Forwarded`: the other one is ignored,
    since a proxy passes on what the client wrote there."""

    run_timeout_s: Seconds = 300.0
    """Seconds after which a run is ended as failed, so that every run ends."""

    stop_timeout_s: Seconds = 0.25
    """Seconds that the agent of a stopped run has to end: agents clean up, people wait. Then the
    run ends without it."""

    drain_timeout_s: Seconds = 10.0
    """Seconds that runs have to finish when the process is told to stop; one second later it is
    gone: a third of what orchestrators commonly wait before they kill."""

    write_high_water_bytes: Bytes = 64 * 1024
    """Unsent bytes of a connection above which nothing more is written until it has drained: more
    would be held twice, here and in the log."""

    write_timeout_s: NetworkSeconds = 10.0
    """Seconds that a connection may stay above the high-water mark: a train is as long in a tunnel.
    Then it is closed with 4001: the keepalive does not end a stalled reader (measured with
    websockets 17.4). It is also how long, in all, a connection that is half of what is retained
    behind may slow the runs of its user; then it is closed with 4002."""

    open_timeout_s: NetworkSeconds = 10.0
    """Seconds for the opening handshake, against connections that send it byte by byte: 408."""

    close_timeout_s: NetworkSeconds = 2.0
    """Seconds for the closing handshake, whoever began it: some round trips. A client that answers
    later, or leaves its end of TCP open, is dropped."""

    ping_interval_s: NetworkSeconds = 20.0
    """Seconds of silence after which a client is pinged, and again as long as it is silent: below
    the minute after which proxies drop idle connections."""

    ping_timeout_s: NetworkSeconds = 20.0
    """Seconds after a ping without a sign of life that end the connection with 1011. Any byte from
    the client is a sign: its pong may wait behind what it sent before. So is each byte it takes:
    the ping may wait behind those. A client that takes nothing meets `write_timeout_s`."""

    canary_timeout_s: Seconds = 1.0
    """Seconds for the health check's canary to go through a manager and its log; then the answer is
    503. It takes far less than a millisecond: a second is what balancers commonly wait."""

    token_lifetime_s: TokenSeconds = 900.0
    """Seconds a token is valid for: long enough to work, too short to be worth stealing. One
    that was signed for longer is refused, whoever signed it."""

    token_leeway_s: LeewaySeconds = 30.0
    """Seconds of clock difference between the two services that a token survives: clocks that are
    set over the network differ by less."""

    max_failed_logins: Count = 5
    """Failed logins of one email from one address within `failed_login_window_s`; more are
    answered with 429 and not looked at: at that rate a million guesses take 138 days."""

    failed_login_window_s: Seconds = 60.0
    """Seconds in which `max_failed_logins` are forgiven: a person who mistyped waits no longer."""

    failed_login_s: AnswerSeconds = 0.25
    """Seconds that a failed login takes at least: twice what a hash takes (measured: a median of
    0.13 s on two cores, n = 30), so that its time does not tell whether somebody has that email."""

    max_waiting_logins: Count = 100
    """Logins that wait for their hash, those being hashed included: fourteen seconds of work for
    two cores (seven hashes a second, measured). More are answered with 503."""

    max_waiting_logins_per_address: Count = 8
    """Of those, the ones from one client address (of IPv6, 64 bits): an office that arrives waits
    for a second, so that nobody fills all places alone. More are answered with 429."""

    def __post_init__(self) -> None:
        """Check what was set, wherever it came from, and give addresses the form for comparing."""
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise _refused(name, kind, error, repr(value)) from error
        for name, words, most in _AT_MOST:
            if getattr(self, name) > most(self):
                msg = f"expected at most {words}, {most(self):,}, got {getattr(self, name):,}"
                raise ConfigurationError(f"{name}: {msg}")
        for name, read in _FORMS.items():
            try:
                force_setattr(self, name, read(getattr(self, name)))
            except ValueError as error:
                raise ConfigurationError(f"{name}: {error}") from error


def _each(read: Callable[[str], object]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    return lambda texts: tuple(str(read(text)) for text in texts)


_FORMS: dict[str, Callable[[Any], Any]] = {
    "allowed_origins": _each(read_origin),
    "public_url": read_public_url,
    "trusted_proxies": _each(read_network),
}


ENVELOPE_BYTES = 4 * 1024
"""Of an event at most: five names of 128 signs, and what goes with them."""


_AT_MOST: tuple[tuple[str, str, Callable[[Settings], float]], ...] = (
    ("retained_bytes", "retained_bytes_total", lambda its: its.retained_bytes_total),
    ("max_connections_per_user", "max_connections", lambda its: its.max_connections),
    ("max_threads_per_user", "max_threads", lambda its: its.max_threads),
    ("token_leeway_s", "token_lifetime_s", lambda its: its.token_lifetime_s),
)
"""What is at odds with another setting above that, else the one of the two has no effect."""

_KINDS = get_type_hints(Settings, include_extras=True)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _refused(name: str, kind: object, error: Exception, got: object) -> ConfigurationError:
    """Say what a setting takes and what came; the words of `error` serve for what is no number."""
    expected = str(error).partition(", got")[0].removeprefix("Expected ")
    for bounds in getattr(kind, "__metadata__", ()):
        what = "whole number" if get_args(kind)[0] is int else "number"
        expected = f"a {what} from {bounds.ge:,} to {bounds.le:,}"
    return ConfigurationError(f"{name}: expected {expected}, got {got!s:.40}")


def _check_sizes(settings: Settings) -> None:
    """Raise `ConfigurationError` if an event has no room for a message, or a log for two events."""
    least = {
        "max_event_bytes": 6 * settings.max_message_bytes + ENVELOPE_BYTES,
        "retained_bytes": 2 * settings.max_event_bytes,
    }
    for name, expected in least.items():
        if (got := getattr(settings, name)) < expected:
            of = "max_message_bytes" if name == "max_event_bytes" else "max_event_bytes"
            raise ConfigurationError(f"{name}: expected {expected} at least for {of}, got {got}")


def read_settings(path: Path) -> Settings:
    """Return the settings of a JSON file with some of the fields of `Settings`.

    Raises `ConfigurationError` if it cannot be read, names an unknown field or a value that is out
    of range, or sizes that contradict each other.
    """
    data = read_file(path, "settings file")
    try:
        values = {}
        for name, raw in decode(data, _FIELDS, "an object with limits").items():
            if name not in _KINDS:
                raise ConfigurationError(f"expected a setting, got {name!r}; /ws/config lists all")
            try:
                values[name] = msgspec.json.decode(raw, type=_KINDS[name])
            except (msgspec.DecodeError, RecursionError) as error:
                raise _refused(name, _KINDS[name], error, bytes(raw).decode()) from error
        # Of a name that is there twice, every decoder takes the last one without a word.
        names = [name for name, _ in json.loads(data, object_pairs_hook=list)]
        if len(names) > len(values):
            twice = max(names, key=names.count)
            raise ConfigurationError(f"expected each setting once, got {twice!r} twice")
        settings = Settings(**values)
        _check_sizes(settings)
        return settings
    except (JsonError, ConfigurationError) as error:
        raise ConfigurationError(f"settings file {path}: {error}") from error
