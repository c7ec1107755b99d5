"""What a client does after each close code and each refusal: it tries again, or it stops."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import pytest
from proxy import address_of
from tabs import LIMIT_S
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from netra_ws.auth.login import LoginResponse, LoginUser
from netra_ws.client import Backoff, Channel, Client, channel
from netra_ws.client.backoff import Attempts, is_transient, retry_after_s
from netra_ws.client.credentials import Credentials
from netra_ws.errors import (
    CloseCode,
    ConnectionEnded,
    EventsLost,
    HandshakeRefused,
    JsonError,
    LoginError,
    MessageTooLarge,
    NetraError,
    RequestRefused,
    RunUnconfirmed,
)
from netra_ws.event_log import Position

ATTEMPTS = 6
QUICK = Backoff(first_s=0.001, max_s=0.01, attempts=ATTEMPTS)

Serve = Callable[[ServerConnection], Awaitable[None]]
Part = Serve | tuple[int, dict[str, str]]


def event(seq: int, epoch: str = "E") -> str:
    common = {"user_id": "ann", "thread_id": "t", "run_id": "r", "agent_name": "a"}
    payload = {"reasoning": "so", "step": seq}
    envelope = {"type": "agent_thinking", "seq": seq, "epoch": epoch, "timestamp": "", **common}
    return json.dumps({**envelope, "payload": payload})


def ready(seq: int = 0, recovered: bool | None = None, epoch: str = "E", lost: int = 0) -> str:
    payload = {"connection_id": "c", "epoch": epoch, "seq": seq, "recovered": recovered}
    message = {"type": "connection_ready", "timestamp": "", "payload": {**payload, "lost": lost}}
    return json.dumps(message)


def says(*messages: str, code: int | None = None) -> Serve:
    """Return a server that says this and closes with `code`, or waits for the client to."""

    async def serve_one(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)
        if code is None:
            await socket.wait_closed()
        else:
            await socket.close(code, "because")

    return serve_one


def refuses(status: int, **headers: str) -> Part:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}


class Script:
    """A server that does something of its own with each connection, the last one for all others.

    `asked` has the path of each handshake, `tokens` what it was asked with, `times` when. `admit`
    is awaited with its number before it is answered. Without a `config` it says none.
    """

    config: dict[str, Any] | None = None

    def __init__(self, *parts: Part) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.times: list[float] = []
        self.admit: Callable[[int], Awaitable[None]] | None = None
        self._parts = parts

    def part(self) -> Part:
        return self._parts[min(len(self.asked), len(self._parts)) - 1]

    async def request(self, socket: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws/config":
            status = 404 if self.config is None else 200
            return socket.respond(status, json.dumps(self.config))
        self.asked.append(request.path)
        self.tokens.append(request.headers["Authorization"])
        self.times.append(time.monotonic())
        if self.admit is not None:
            await self.admit(len(self.asked))
        part = self.part()
        if not isinstance(part, tuple):
            return None
        status, headers = part
        return Response(
            status, HTTPStatus(status).phrase, Headers({"Content-Length": "0"} | headers)
        )

    async def serve(self, socket: ServerConnection) -> None:
        part = self.part()
        assert not isinstance(part, tuple)
        await part(socket)


@asynccontextmanager
async def scripted(*parts: Part) -> AsyncIterator[Script]:
    script = Script(*parts)
    async with serve(
        script.serve, "127.0.0.1", 0, process_request=script.request, close_timeout=1
    ) as server:
        script.url = address_of(server)
        yield script


class Logins:
    """Gives token 1, token 2 and so on; the n-th of `errors` is raised instead if there is one."""

    def __init__(self, *errors: Exception | None, life_s: int = 900) -> None:
        self.count = 0
        self.again = asyncio.Event()
        self._errors = errors
        self._life_s = life_s

    async def __call__(self) -> LoginResponse:
        self.count += 1
        if self.count > 1:
            self.again.set()
        error = self._errors[self.count - 1] if self.count <= len(self._errors) else None
        if error:
            raise error
        user = LoginUser("ann", "ann@demo.example")
        return LoginResponse(f"token-{self.count}", "Bearer", self._life_s, user)


def client(script: Script, *arguments: Any, backoff: Backoff = QUICK) -> Client:
    return Client(script.url, *(arguments or (Logins(),)), backoff=backoff)


async def numbers(ann: Client, count: int) -> list[int]:
    """Return the `seq` of the next events."""
    taken: list[int] = []
    async with asyncio.timeout(LIMIT_S), aclosing(ann.messages()) as messages:
        while len(taken) < count:
            _, decoded = await anext(messages)
            taken.append(decoded.seq)  # type: ignore[union-attr]
    return taken


AGAIN = (1001, 1011, 1012, 1013, 1014, 4000, 4001, 4002, 4003, 4004, 4005, 4499)
FINAL = (1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3999, 4500, 4501, 4502, 4999)


@pytest.mark.parametrize("code", AGAIN)
async def test_after_these_codes_it_reconnects_and_resumes(code: int) -> None:
    async with (
        scripted(says(ready(), event(1), code=code), says(ready(1, True), event(2))) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 2) == [1, 2]
        assert (ann.reconnects, ann.position) == (1, Position("E", 2))
        assert server.asked == ["/ws", "/ws?epoch=E&seq=1"]


@pytest.mark.parametrize("code", FINAL)
async def test_after_these_codes_it_stops_and_says_so_at_each_call(code: int) -> None:
    async with scripted(says(ready(), event(1), code=code)) as server, client(server) as ann:
        assert await numbers(ann, 1) == [1]
        for _ in range(2):
            with pytest.raises(ConnectionEnded) as closed:
                await numbers(ann, 1)
            assert (closed.value.code, closed.value.reason) == (code, "because")
        with pytest.raises(ConnectionEnded):
            await ann.chat("hello", LIMIT_S)
        assert len(server.asked) == 1


async def test_after_a_close_frame_without_a_code_it_reconnects() -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.send(ready())
        await socket.send(event(1))
        socket.transport.write(b"\x88\x00")
        await socket.wait_closed()

    async with (
        scripted(close, says(ready(1, True), event(2))) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 2) == [1, 2]
        assert ann.reconnects == 1


def test_every_code_of_this_project_is_treated_as_its_meaning_says() -> None:
    again = {code for code in CloseCode if is_transient(ConnectionEnded(code, ""))}
    said = {code for code in CloseCode if "reconnect" in code.meaning}
    assert again == said | {CloseCode.INTERNAL_ERROR}  # it may be a fault of the moment


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_after_these_refusals_it_tries_again(status: int) -> None:
    async with (
        scripted(refuses(status), refuses(status), says(ready(), event(1))) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 1) == [1]
        assert ann.reconnects == 0


@pytest.mark.parametrize("status", [400, 403, 404, 426])
async def test_after_these_refusals_it_stops(status: int) -> None:
    async with scripted(refuses(status)) as server:
        with pytest.raises(HandshakeRefused, match=f"got {status}"):
            async with client(server):
                pass
        assert len(server.asked) == 1


async def test_after_401_it_logs_in_anew_and_goes_on() -> None:
    logins = Logins()
    async with (
        scripted(
            says(ready(), event(1), code=1012), refuses(401), says(ready(1, True), event(2))
        ) as server,
        client(server, logins) as ann,
    ):
        assert await numbers(ann, 2) == [1, 2]
        assert server.tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
        assert logins.count == 2


async def test_a_new_token_that_is_401_too_is_final() -> None:
    logins = Logins()
    async with (
        scripted(says(ready(), event(1), code=1012), refuses(401)) as server,
        client(server, logins) as ann,
    ):
        assert await numbers(ann, 1) == [1]
        with pytest.raises(HandshakeRefused, match="got 401"):
            await numbers(ann, 1)
        assert server.tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
        assert logins.count == 2


async def test_a_first_token_that_is_401_is_final() -> None:
    logins = Logins()
    async with scripted(refuses(401)) as server:
        with pytest.raises(HandshakeRefused, match="got 401"):
            async with client(server, logins):
                pass
    assert (logins.count, len(server.asked)) == (1, 1)


@pytest.mark.parametrize("status", [400, 401, 422])
async def test_a_login_that_is_refused_is_final(status: int) -> None:
    logins = Logins(LoginError("no", status))
    async with scripted(says(ready())) as server:
        with pytest.raises(LoginError):
            async with client(server, logins):
                pass
    assert (logins.count, len(server.asked)) == (1, 0)


@pytest.mark.parametrize("status", [None, 429, 500, 503])
async def test_a_login_that_may_succeed_later_is_tried_again(status: int | None) -> None:
    logins = Logins(LoginError("not now", status), LoginError("not now", status))
    async with scripted(says(ready(), event(1))) as server, client(server, logins) as ann:
        assert await numbers(ann, 1) == [1]
    assert (logins.count, len(server.asked)) == (3, 1)


async def test_an_error_that_is_none_of_ours_passes_through_and_is_not_repeated() -> None:
    logins = Logins(ZeroDivisionError("a fault in the application"))
    async with scripted(says(ready())) as server:
        with pytest.raises(ZeroDivisionError):
            async with client(server, logins):
                pass
    assert logins.count == 1


async def test_a_token_that_is_replaced_while_a_connection_opens_is_sent_over_it() -> None:
    logins = Logins(life_s=1)

    async def admit(number: int) -> None:
        if number == 2:
            await logins.again.wait()

    async def hears(socket: ServerConnection) -> None:
        await socket.send(ready(0, True))
        heard.append(str(await socket.recv()))
        await socket.send(event(1))
        await socket.wait_closed()

    heard: list[str] = []
    async with scripted(says(ready(), code=1012), hears) as server:
        server.admit = admit
        async with client(server, logins) as ann:
            assert await numbers(ann, 1) == [1]
    assert server.tokens == ["Bearer token-1"] * 2
    assert heard == ['{"type":"renew_token","token":"token-2"}']


async def test_a_client_that_closes_lets_go_of_the_connection_that_it_opens() -> None:
    opening, over = asyncio.Event(), asyncio.Event()

    async def admit(number: int) -> None:
        if number == 2:
            opening.set()
            await over.wait()

    async with scripted(says(ready(), code=1012)) as server, asyncio.timeout(LIMIT_S):
        server.admit = admit
        async with client(server) as ann:
            reading = asyncio.create_task(numbers(ann, 1))
            await opening.wait()
        with pytest.raises(NetraError, match="the client is closed"):
            await reading
        over.set()


# The back-off


@pytest.mark.parametrize("said", [(), (ready(),)], ids=["before ready", "after ready"])
async def test_a_server_that_lets_in_and_kills_is_given_up_and_not_hammered(
    said: tuple[str, ...],
) -> None:
    """As the buggy revision does; whether it says `connection_ready` first makes no difference."""
    backoff = Backoff(first_s=0.01, max_s=1, give_up_after_s=0.3)
    async with scripted(says(*said, code=1011)) as server:
        began = client(server, backoff=backoff)
        with pytest.raises(ConnectionEnded) as closed:
            async with asyncio.timeout(LIMIT_S), began as ann:
                await numbers(ann, 1)
        assert closed.value.code == 1011
        assert 1 < len(server.asked) < 40  # windows that double: 100 without them


async def test_a_client_waits_without_a_limit_unless_it_is_given_one() -> None:
    backoff = Backoff(first_s=0.0001, max_s=0.0001)
    many = 100
    async with (
        scripted(*[refuses(503)] * many, says(ready(), event(1))) as server,
        client(server, backoff=backoff) as ann,
    ):
        assert await numbers(ann, 1) == [1]
        assert len(server.asked) == many + 1


async def test_ready_resets_the_time_until_it_gives_up_and_not_the_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    attempts = Attempts(Backoff(first_s=1, max_s=64, give_up_after_s=200))
    windows = []
    for _ in range(5):
        now += 150
        attempts.connected()
        attempts.failed(ConnectionEnded(1012, ""))
        windows.append(attempts._window_s)
    assert windows == [2, 4, 8, 16, 32]
    now += 250
    attempts.failed(ConnectionEnded(1012, ""))
    with pytest.raises(ConnectionEnded):
        await attempts.next()


@pytest.mark.parametrize("ends", ["close", "cancellation"])
async def test_an_end_does_not_wait_for_the_next_attempt(ends: str) -> None:
    waiting = asyncio.Event()

    async def admit(number: int) -> None:
        if number == 2:
            waiting.set()

    parts = says(ready(), code=1012), refuses(503, Retry_After="3600")
    async with scripted(*parts) as server, asyncio.timeout(LIMIT_S):
        server.admit = admit
        async with client(server) as ann:
            reading = asyncio.create_task(numbers(ann, 1))
            await waiting.wait()
            if ends == "cancellation":
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
        if ends == "close":
            with pytest.raises(NetraError, match="the client is closed"):
                await reading
    assert len(server.asked) == 2


async def test_nobody_who_listens_is_given_up_too() -> None:
    async with scripted(says(ready())) as server:
        pass
    with pytest.raises(HandshakeRefused) as refused:
        async with asyncio.timeout(LIMIT_S), client(server):
            pass
    assert refused.value.status is None


async def test_an_event_starts_the_back_off_anew() -> None:
    part = says(ready(), code=1012)

    async def one_more(socket: ServerConnection) -> None:
        assert socket.request is not None
        seq = int(socket.request.path.partition("seq=")[2] or 0)
        await says(ready(seq, True), event(seq + 1), code=1012)(socket)

    async with scripted(part, one_more) as server, client(server) as ann:
        assert await numbers(ann, 5 * ATTEMPTS) == list(range(1, 5 * ATTEMPTS + 1))


async def test_a_connection_that_lasted_starts_the_back_off_anew() -> None:
    backoff = Backoff(first_s=0.001, max_s=0.001, attempts=2, settled_s=0)
    parts = [says(ready(), code=1012)] * ATTEMPTS
    async with (
        scripted(*parts, says(ready(), event(1))) as server,
        client(server, backoff=backoff) as ann,
    ):
        assert await numbers(ann, 1) == [1]
        assert ann.reconnects == ATTEMPTS


async def test_a_client_that_has_given_up_does_not_begin_again() -> None:
    backoff = Backoff(first_s=0.001, max_s=0.01, attempts=ATTEMPTS)
    async with scripted(says(ready(), event(1), code=1012), refuses(503)) as server:
        async with client(server, backoff=backoff) as ann:
            assert await numbers(ann, 1) == [1]
            for _ in range(2):
                with pytest.raises(HandshakeRefused, match="got 503"):
                    await numbers(ann, 1)
        assert len(server.asked) == ATTEMPTS


async def fail_on(attempts: Attempts) -> None:
    while True:
        attempts.failed(ConnectionEnded(1012, ""))
        await attempts.next()


async def test_giving_up_for_lack_of_time_is_for_good() -> None:
    attempts = Attempts(Backoff(first_s=0.1, max_s=0.1, give_up_after_s=0.05))
    await attempts.next()
    with pytest.raises(ConnectionEnded):
        await fail_on(attempts)
    for _ in range(50):  # a wait that is drawn anew may be shorter
        with pytest.raises(ConnectionEnded):
            await attempts.next()


async def test_logins_that_are_needed_at_once_are_one() -> None:
    logins = Logins()
    credentials = Credentials(logins, QUICK)
    await asyncio.gather(credentials.replace(""), credentials.replace(""))
    assert (credentials.token, logins.count) == ("token-1", 1)


@pytest.fixture
def waits(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[float]]]:
    """A function that returns how long clients have said that they wait, and forgets it."""

    def take() -> list[float]:
        waited = [float(record.args[0]) for record in caplog.records]  # type: ignore[arg-type,index]
        caplog.clear()
        return waited

    with caplog.at_level(logging.INFO, "netra_ws.client.backoff"):
        yield take


def test_waits_are_drawn_from_windows_that_double_up_to_the_maximum(
    waits: Callable[[], list[float]],
) -> None:
    first, most = 0.0001, 0.0004
    drawn = []
    for _ in range(200):
        attempts = Attempts(Backoff(first_s=first, max_s=most))
        for _ in range(5):
            attempts.failed(ConnectionEnded(1012, ""))
        drawn.append(waits())
    for window, column in zip(
        [first, 2 * first, most, most, most], zip(*drawn, strict=True), strict=True
    ):
        assert len(set(column)) == 200
        assert 0 <= min(column) < window * 0.1
        assert window * 0.9 < max(column) <= window


async def test_a_wait_that_was_drawn_is_waited(waits: Callable[[], list[float]]) -> None:
    backoff = Backoff(first_s=0.02, max_s=0.1, attempts=ATTEMPTS)
    async with scripted(refuses(503)) as server:
        with pytest.raises(HandshakeRefused):
            async with client(server, backoff=backoff):
                pass
    assert len(server.times) == ATTEMPTS
    gaps = [later - earlier for earlier, later in pairwise(server.times)]
    assert all(gap >= wait * 0.99 for gap, wait in zip(gaps, waits(), strict=True))


async def test_a_cancelled_wait_is_made_up_for(waits: Callable[[], list[float]]) -> None:
    backoff = Backoff(first_s=0.3, max_s=0.3)
    attempts = Attempts(backoff)
    await attempts.next()
    began = time.monotonic()
    attempts.failed(ConnectionEnded(1012, ""))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await attempts.next()
    await attempts.next()
    (wait,) = waits()
    assert time.monotonic() - began >= wait * 0.99


async def test_retry_after_is_waited_for_beside_the_jitter() -> None:
    async with (
        scripted(refuses(503, Retry_After="1"), says(ready(), event(1))) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 1) == [1]
    assert server.times[1] - server.times[0] >= 0.99


async def test_a_retry_after_beyond_all_patience_is_an_end() -> None:
    backoff = Backoff(give_up_after_s=300)
    async with scripted(refuses(503, Retry_After="3600")) as server:
        with pytest.raises(HandshakeRefused, match="got 503"):
            async with asyncio.timeout(LIMIT_S), client(server, backoff=backoff):
                pass
        assert len(server.asked) == 1


# What is wrong with the server


async def test_duplicates_are_dropped() -> None:
    async with (
        scripted(
            says(ready(), event(1), event(1), event(2), code=1012),
            says(ready(0, True), event(1), event(2), event(3)),
        ) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 3) == [1, 2, 3]


async def test_a_gap_on_the_wire_is_filled_by_a_resume_and_its_connection_is_let_go() -> None:
    gone = asyncio.Event()

    async def omits(socket: ServerConnection) -> None:
        await says(ready(), event(1), event(3))(socket)
        gone.set()

    async with (
        scripted(omits, says(ready(1, True), event(2), event(3))) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 3) == [1, 2, 3]
        assert server.asked[1] == "/ws?epoch=E&seq=1"
        async with asyncio.timeout(LIMIT_S):
            await gone.wait()


@pytest.mark.parametrize(
    "resumed",
    [
        says(ready(1, True), event(3)),
        says(ready(2, True), event(3)),
        says(ready(2, True)),
        says(ready(2, None), event(3)),
        says(ready(1, True, epoch="F"), event(2, "F")),
    ],
    ids=[
        "said nothing",
        "said a later place",
        "and then nothing",
        "did not resume",
        "another epoch",
    ],
)
async def test_a_gap_that_stays_is_an_error_and_never_passed_on(resumed: Serve) -> None:
    async with scripted(says(ready(), event(1), event(3)), resumed) as server:
        async with client(server) as ann:
            assert await numbers(ann, 1) == [1]
            with pytest.raises(NetraError, match="expected event 2, got"):
                await numbers(ann, 1)
            assert ann.position == Position("E", 1)
        assert len(server.asked) == ATTEMPTS


async def test_a_first_message_that_is_not_ready_is_final() -> None:
    async with scripted(says(event(1))) as server:
        with pytest.raises(NetraError, match="expected connection_ready, got AgentThinking"):
            async with client(server):
                pass
        assert len(server.asked) == 1


async def not_utf_8(socket: ServerConnection) -> None:
    await socket.send(ready())
    socket.transport.write(b"\x81\x02\xff\xff")
    await socket.wait_closed()


async def too_big(socket: ServerConnection) -> None:
    await socket.send(ready())
    await socket.send("x" * (1 << 21))
    await socket.wait_closed()


async def reserved_bits(socket: ServerConnection) -> None:
    await socket.send(ready())
    socket.transport.write(b"\xf1\x00")
    await socket.wait_closed()


@pytest.mark.parametrize(
    ("part", "code"), [(not_utf_8, 1007), (too_big, 1009), (reserved_bits, 1002)]
)
async def test_a_connection_that_this_side_fails_is_told_with_its_code(
    part: Serve, code: int
) -> None:
    async with scripted(part) as server:
        async with Channel(server.url, "token") as channel:
            with pytest.raises(ConnectionEnded) as ended:
                await anext(channel.messages())
            assert ended.value.code == code
        if code == 1009:  # what is too large is passed over
            return
        async with client(server) as ann:
            with pytest.raises(ConnectionEnded) as ended:
                await numbers(ann, 1)
            assert ended.value.code == code
    assert len(server.asked) == 2


async def test_an_event_that_is_too_large_is_a_loss_and_the_client_lives_on() -> None:
    async with (
        scripted(
            says(ready(), event(1), "x" * (1 << 21)), says(ready(2, True), event(3))
        ) as server,
        client(server) as ann,
    ):
        assert await numbers(ann, 1) == [1]
        with pytest.raises(EventsLost) as lost:
            await numbers(ann, 1)
        assert lost.value.lost == 1
        assert await numbers(ann, 1) == [3]
        assert server.asked[1] == "/ws?epoch=E&seq=2"


async def test_a_server_that_says_that_it_sends_more_is_taken_at_its_word() -> None:
    large = event(2).replace('"so"', f'"{"x" * (1 << 21)}"')
    async with (
        scripted(says(ready(), event(1), large), says(ready(1, True), large)) as server,
        client(server) as ann,
    ):
        server.config = {"limits": {"max_event_bytes": 1 << 22}}
        assert await numbers(ann, 2) == [1, 2]
        assert server.asked[1] == "/ws?epoch=E&seq=1"


async def test_an_event_that_is_not_in_the_contract_breaks_one_call_and_no_later_one() -> None:
    poison = event(2).replace('"so"', "5")
    async with scripted(says(ready(), event(1), poison, event(3))) as server, client(server) as ann:
        assert await numbers(ann, 1) == [1]
        with pytest.raises(JsonError):
            await numbers(ann, 1)
        assert await numbers(ann, 1) == [3]
        assert ann.reconnects == 0


async def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    heard: list[str] = []

    async def hears(socket: ServerConnection) -> None:
        await socket.send(ready())
        heard.append(str(await socket.recv()))

    async with scripted(hears) as server, client(server) as ann:
        server.config = {"limits": {"max_message_bytes": 1000}}
        with pytest.raises(MessageTooLarge, match="expected at most 1000 bytes"):
            await ann.chat("x" * 1000, LIMIT_S)
        with pytest.raises(RequestRefused, match="expected text that is UTF-8"):
            await ann.chat("\ud800", LIMIT_S)
        assert ann.reconnects == 0
    assert heard == []


async def test_a_server_that_closes_over_a_message_that_is_too_large_is_not_left() -> None:
    async def closes(socket: ServerConnection) -> None:
        await socket.send(ready())
        await socket.recv()
        await socket.close(1009, "")

    async with (
        scripted(closes, says(ready(0, True), event(1))) as server,
        client(server) as ann,
    ):
        with pytest.raises(MessageTooLarge, match="no message of that size"):
            await ann.chat("x" * 2000, LIMIT_S)
        assert await numbers(ann, 1) == [1]


async def test_a_drop_without_a_close_frame_is_1006() -> None:
    async def drop(socket: ServerConnection) -> None:
        await socket.send(ready())
        socket.transport.abort()

    async with scripted(drop) as server, Channel(server.url, "token") as channel:
        with pytest.raises(ConnectionEnded) as ended:
            await anext(channel.messages())
        assert ended.value.code == 1006
        with pytest.raises(ConnectionEnded) as ended:
            await channel.ask("hello")
        assert ended.value.code == 1006


# A server that hangs

TOO_MUCH = "x" * (1 << 24)


async def deaf(socket: ServerConnection) -> None:
    await socket.send(ready())
    socket.transport.pause_reading()
    await socket.wait_closed()


async def half_closed(socket: ServerConnection) -> None:
    await socket.send(ready())
    socket.transport.pause_reading()
    socket.transport.write(b"\x88\x02\x03\xf4")  # 1012, and then nothing
    await socket.wait_closed()


async def test_a_server_that_takes_nothing_does_not_hold_up_the_close() -> None:
    async with scripted(deaf) as server, asyncio.timeout(LIMIT_S), client(server) as ann:
        with pytest.raises(TimeoutError):
            await ann.chat(TOO_MUCH, 0.1)


async def test_a_server_that_closes_by_half_is_left() -> None:
    async with (
        scripted(half_closed, says(ready(0, True), event(1))) as server,
        asyncio.timeout(LIMIT_S),
        client(server) as ann,
    ):
        assert await numbers(ann, 1) == [1]


async def test_a_message_that_was_stuck_in_its_connection_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel, "SEND_TIMEOUT_S", 0.1)
    heard: list[str] = []

    async def hears(socket: ServerConnection) -> None:
        await socket.send(ready(0, True))
        async for message in socket:
            assert isinstance(message, str)
            heard.append(message)
            await socket.send('{"type":"pong","timestamp":"","payload":{}}')

    async with scripted(deaf, hears) as server, client(server) as ann:
        with pytest.raises(RunUnconfirmed):
            await ann.chat(TOO_MUCH, LIMIT_S)
    assert heard == ['{"type":"ping"}']


# What is asked for


def refusal(retry_after: str) -> HandshakeRefused:
    error = HandshakeRefused("", 503, "")
    headers = Headers({"Retry-After": retry_after})
    error.__cause__ = InvalidStatus(Response(503, "", headers))
    return error


def test_a_certificate_of_another_is_final() -> None:
    for error in (HandshakeRefused("", None, ""), LoginError("")):
        assert is_transient(error)
        error.__cause__ = ssl.SSLCertVerificationError()
        assert not is_transient(error)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("soon", 0),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        ("9" * 400, float("inf")),
        (formatdate(0, usegmt=True), 0),
    ],
)
def test_retry_after_in_seconds_and_what_is_none(asked: str, seconds: float) -> None:
    assert retry_after_s(refusal(asked)) == seconds


def test_retry_after_as_a_date() -> None:
    assert 3500 < retry_after_s(refusal(formatdate(time.time() + 3600, usegmt=True))) <= 3600
    assert retry_after_s(HandshakeRefused("", 503, "")) == 0
