"""What the backend promises, with the limits as they are."""

from __future__ import annotations

from netra_incident.table import Table
from netra_ws.runs import LAST_IDS
from netra_ws.serving.descriptors import ACCEPTED_AT_ONCE, RESERVE
from netra_ws.settings import Settings

KIB, MIB = 1024, 1024 * 1024


def promises() -> str:
    """Return each promise, the limits of it, and what happens past them."""
    its = Settings()
    rows = [
        (
            "A user's events come in order, and each once. The server may repeat an event after a "
            "reconnect; the client drops by `(epoch, seq)` what it has.",
            "",
            "an event after a gap is not passed on",
        ),
        (
            "A connection resumes after any position in the log. Between replay and live events "
            "nothing is missing and nothing doubled.",
            f"{its.retained_events} events and {its.retained_bytes // MIB} MiB a user, "
            f"{its.retained_bytes_total // MIB} MiB of all users (`retained_…`); "
            f"{its.idle_log_s / 3600:g} h after the user was last there (`idle_log_s`)",
            "`recovered: false` with the number of lost events, null if unknown; then the rest",
        ),
        (
            "A run goes on without its connection and ends in exactly one `agent_completed`, "
            "whatever its tools do.",
            f"{its.run_timeout_s:g} s (`run_timeout_s`); after a stop {its.stop_timeout_s:g} s, "
            "then it is ended even if its agent is still at work (`stop_timeout_s`)",
            "status `failed` or `cancelled`",
        ),
        (
            "`agent_completed` proves its run: the number of its messages, this one included, and "
            "the SHA-256 over those before it, as sent, each followed by a line feed.",
            "",
            "the client raises `IncompleteRun`",
        ),
        (
            "A `user_message` with an `id` starts one run, however often and on however many "
            "connections of its user it is sent.",
            f"{its.idle_log_s / 3600:g} h (`idle_log_s`), and the last {LAST_IDS} ids of a user; "
            "a new epoch forgets them",
            "another run",
        ),
        (
            "A slow reader holds up nobody.",
            f"{its.write_high_water_bytes // KIB} KiB unsent for {its.write_timeout_s:g} s "
            f"(`write_…`); {its.retained_events} events behind",
            "4001; 4002",
        ),
        (
            "No client takes the server from others: what it sends is bounded.",
            f"messages of {its.max_message_bytes // KIB} KiB; {its.max_messages_per_s:g} messages "
            f"and {its.max_pings_per_s:g} pings or unasked pongs a second, on average over "
            f"{its.rate_window_s:g} s (`max_…`)",
            "1009; 4004",
        ),
        (
            "No client takes the server from others: what it holds is bounded. Where all of a "
            "user's connections are taken, those that answer no ping make room.",
            f"{its.max_runs_per_user} runs and {its.max_connections_per_user} connections a user; "
            f"{its.max_connections:,} connections",
            "error `too_many_runs`; 4005; 503",
        ),
        (
            "A complete request is answered while others connect and send nothing.",
            f"{its.max_pending_connections:,} connections of each service that are no WebSocket "
            "(`max_pending_connections`)",
            "503 to the oldest of them",
        ),
        (
            "A peer that has gone is let go. What one sent while the server was paused is read "
            "first.",
            f"a handshake within {its.open_timeout_s:g} s; a byte within {its.ping_timeout_s:g} s "
            f"of a ping, sent after {its.ping_interval_s:g} s of silence (`open_…`, `ping_…`)",
            "408; 1011",
        ),
        (
            "Only the holder of a token connects.",
            f"signed, complete, made for {its.token_lifetime_s / 60:g} min at most, clocks "
            f"{its.token_leeway_s:g} s apart (`token_…`)",
            "401",
        ),
        (
            "A connection ends with its token unless that is renewed. After the answer to a "
            "revocation nothing more is sent on it.",
            "",
            "4003; 4502",
        ),
        ("A page of another origin does not connect.", "`allowed_origins`, `public_url`", "403"),
        (
            "Passwords are not guessed.",
            f"{its.max_failed_logins} failed logins in {its.failed_login_window_s:g} s, of one "
            "email from one address (`…_failed_login…`)",
            "429",
        ),
        (
            "No address keeps others from logging in.",
            f"{its.max_waiting_logins_per_address} logins that wait, of one address "
            "(`max_waiting_logins_per_address`)",
            "429",
        ),
        (
            "A stop loses nothing in silence. Health answers 503, no run is begun, runs finish, "
            "and clients are told to reconnect.",
            f"{its.drain_timeout_s:g} s (`drain_timeout_s`), and 1 s until the process has gone",
            "error `stopping`; status `cancelled`, and the response says why; 1012",
        ),
    ]
    return Table(("promise", "limit", "past it"), rows).markdown()


def descriptors() -> str:
    """Return how many file descriptors the limits need."""
    its = Settings()
    reserve = RESERVE + 2 * ACCEPTED_AT_ONCE
    return (
        "Each connection takes a file descriptor. At its start `netra-ws serve` raises `ulimit -n` "
        f"to what the\nlimits need: by default {its.max_connections:,} for the sockets, "
        f"{its.max_pending_connections:,} for each of the two services\nbefore they are let in, "
        f"and {reserve} in reserve."
    )
