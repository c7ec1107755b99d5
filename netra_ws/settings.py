"""Every limit in force: its unit is the end of its name, its reason stands beside it.

What happens past a limit is said by the code in the close frame, the typed error or the HTTP
answer, by one log line ``limit exceeded`` and by the counter ``netra_ws_limit_exceeded_total``,
both of which carry the name of the limit as it stands here.
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
    """Largest message of a client: a source file fits. A larger one closes with 1009.

    Guarded by tests/integration/test_bounds.py::test_a_message_too_large_closes_with_1009
    """

    max_messages_per_s: Annotated[float, Positive] = 20.0
    """Messages of one connection, on average over `rate_window_s`: a person types one, a program
    that stops runs sends a few. More closes with 4004.

    Guarded by tests/integration/test_bounds.py::test_messages_too_many_close_with_4004
    """

    max_pings_per_s: Annotated[float, Positive] = 2.0
    """Ping frames of one connection, and pongs that nobody asked for, on average over
    `rate_window_s`. websockets answers each ping at once and bounds neither (measured: 300,000
    unread pongs take 30 MB). More closes with 4004.

    Guarded by tests/integration/test_bounds.py::test_ping_frames_too_many_close_with_4004
    """

    rate_window_s: Annotated[float, Positive] = 10.0
    """Seconds over which a rate is an average: what a client may send at once is the rate times
    this, so that a burst after a reconnect is no offence.

    Guarded by tests/integration/test_bounds.py::test_a_burst_of_rate_times_window_is_let_through
    """

    retained_events: Annotated[int, Positive] = 256
    """Events kept per user for resuming: some fifty runs of five events. It is also the lag that
    a connection may have: one that is further behind is closed with 4002.

    Guarded by tests/integration/test_bounds.py::test_a_reader_behind_the_window_is_closed_with_4002
    """

    retained_bytes: Annotated[int, Positive] = 2 * 1024 * 1024
    """Bytes of events kept per user, whichever of the two bounds is met first: twice what all
    runs of a user can echo of their messages at once.

    Guarded by tests/integration/test_bounds.py::test_a_reader_behind_the_window_is_closed_with_4002
    """

    retained_bytes_total: Annotated[int, Positive] = 256 * 1024 * 1024
    """Bytes of events kept for all users together: what a small machine can spare. Past it the
    oldest events of whoever has been silent for longest go first.

    Guarded by tests/integration/test_bounds.py::test_whoever_comes_back_too_late_is_told_the_loss
    """

    idle_log_s: Annotated[float, Positive] = 3600.0
    """Seconds that a user's log stays without a connection or a run: a lunch break. A position in
    a log that has gone is answered with `recovered: false`.

    Guarded by tests/integration/test_bounds.py::test_the_log_of_an_idle_user_is_forgotten
    """

    service_retained_events: Annotated[int, Positive] = 8
    """Events kept per service user: a probe needs its own canary and nothing older.

    Guarded by tests/integration/test_bounds.py::test_probes_leave_no_more_than_their_last_events
    """

    max_runs_per_user: Annotated[int, Positive] = 16
    """Runs of one user at a time, so that one user cannot take the event loop from others. More
    is answered with the typed error `too_many_runs`.

    Guarded by tests/integration/test_bounds.py::test_a_run_too_many_is_a_typed_error
    """

    max_connections_per_user: Annotated[int, Positive] = 32
    """Connections of one user at a time: a person's tabs, not a loop gone wrong. More are closed
    with 4501.

    Guarded by tests/integration/test_bounds.py::test_a_connection_too_many_is_closed_with_4501
    """

    max_connections: Annotated[int, Positive] = 10_000
    """WebSocket connections of the process: half a gigabyte at 50 KiB each, of which
    14 are an idle connection's (measured) and the rest its user's events. More are
    answered with 503 in place of the upgrade.

    Guarded by tests/integration/test_bounds.py::test_without_room_the_answer_is_503
    """

    max_pending_connections: Annotated[int, Positive] = 2000
    """TCP connections of one service that are no WebSocket: handshakes, plain requests, logins, and
    whoever was refused and stays. One more, and the oldest of them is answered with 503 and closed,
    so that whoever asks at once is served, however many only connect.

    Guarded by tests/integration/test_bounds.py::test_whoever_waits_longest_makes_room
    """

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may connect and log in, compared as they are, beside the backend's own.
    Another one is answered with 403, so that no stranger's page uses a visitor's token. A client
    that is no browser sends none, and may connect.

    Guarded by tests/integration/test_bounds.py::test_only_an_origin_on_the_list_may_connect
    """

    run_timeout_s: Annotated[float, Positive] = 300.0
    """Seconds after which a run is ended as failed, so that every run ends.

    Guarded by tests/integration/test_bounds.py::test_a_run_too_long_ends_as_failed
    """

    stop_timeout_s: Annotated[float, Positive] = 0.25
    """Seconds that a run which is stopped has to end by itself: agents clean up, people wait. Then
    it is ended over its head.

    Guarded by tests/integration/test_bounds.py::test_an_agent_that_will_not_stop_is_ended
    """

    drain_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds that runs have to finish when the process is told to stop; one second later it is
    gone: a third of what orchestrators commonly wait before they kill.

    Guarded by tests/integration/test_shutdown.py::test_a_run_that_outlasts_the_drain_is_cancelled
    """

    write_high_water_bytes: Annotated[int, Positive] = 64 * 1024
    """Unsent bytes of a connection above which nothing more is written until it has drained: more
    would be held twice, here and in the log.

    Guarded by tests/integration/test_bounds.py::test_no_more_is_written_than_the_high_water
    """

    write_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds that a connection may stay above the high-water mark: as long as a tunnel. Then it is
    closed with 4001; the keepalive does not end a stalled reader (measured with websockets 17.4).

    Guarded by tests/integration/test_bounds.py::test_a_stalled_write_closes_with_4001
    """

    open_timeout_s: Annotated[float, Positive] = 10.0
    """Seconds for the opening handshake, against connections that send it byte by byte: 408.

    Guarded by tests/integration/test_bounds.py::test_a_request_that_does_not_come_is_408
    """

    close_timeout_s: Annotated[float, Positive] = 2.0
    """Seconds for the closing handshake, whoever began it: some round trips. A client that answers
    later, or leaves its end of TCP open, is dropped.

    Guarded by tests/integration/test_bounds.py::test_whoever_stays_after_the_end_is_dropped
    """

    ping_interval_s: Annotated[float, Positive] = 20.0
    """Seconds of silence after which a client is pinged, and again as long as it is silent: below
    the minute after which proxies drop idle connections.

    Guarded by tests/integration/test_bounds.py::test_a_silent_client_is_pinged_at_an_interval
    """

    ping_timeout_s: Annotated[float, Positive] = 20.0
    """Seconds after a ping without a sign of life that end the connection with 1011. Any byte from
    the client is one: a pong may wait behind much else that it has sent. So is what it reads: the
    ping may wait behind that. A client that reads nothing at all meets `write_timeout_s`.

    Guarded by tests/integration/test_bounds.py::test_a_client_that_is_silent_is_closed_with_1011
    """

    canary_timeout_s: Annotated[float, Positive] = 1.0
    """Seconds for the health check's canary to go through a manager and its log; then the answer is
    503. It takes far less than a millisecond: a second is what balancers commonly wait.

    Guarded by tests/integration/test_bounds.py::test_a_canary_that_does_not_arrive_is_503
    """

    token_lifetime_s: Annotated[float, Positive] = 900.0
    """Seconds a token is valid for: long enough to work, too short to be worth stealing. One that
    was signed for longer is refused, by whomever.

    Guarded by
    tests/unit/test_tokens.py::test_a_lifetime_is_bounded_by_that_of_this_deployment_and_its_leeway
    """

    token_leeway_s: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds of clock difference between the two services that a token survives: more than any two
    clocks that are set over the network differ by.

    Guarded by tests/integration/test_login_security.py::test_a_token_within_the_leeway_is_let_in
    """

    max_failed_logins: Annotated[int, Positive] = 5
    """Failed logins of one email from one address within `failed_login_window_s`; more are
    answered with 429 and not looked at: at that rate a million guesses take 138 days.

    Guarded by tests/integration/test_login_security.py::test_a_failed_login_too_many_is_429
    """

    failed_login_window_s: Annotated[float, Positive] = 60.0
    """Seconds in which `max_failed_logins` are forgiven: whoever mistyped need not wait for long.

    Guarded by tests/integration/test_login_security.py::test_the_budget_comes_back
    """

    failed_login_s: Annotated[float, Meta(ge=0)] = 0.25
    """Seconds that a failed login takes at least: twice what a hash takes (measured: a median of
    0.13 s on two cores, n = 30), so that its time does not tell whether somebody has that email.
    Under load the decoy's hash does the rest.

    Guarded by
    tests/integration/test_login_security.py::test_a_failed_login_does_not_tell_who_exists
    """

    max_waiting_logins: Annotated[int, Positive] = 100
    """Logins that wait for their hash, those being hashed included: fourteen seconds of work for
    two cores (seven hashes a second, measured). More are answered with 503.

    Guarded by tests/integration/test_login_security.py::test_a_login_too_many_at_a_time_is_503
    """


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
