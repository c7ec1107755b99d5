"""Tokens that are refused, logins that fail, and malformed HTTP: all of it over the wire."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError
from clock import Clock
from limits import HANG_S
from plain_client import PROBLEM, address, dial, read_until, refusal
from processes import Server
from structlog.testing import capture_logs

from netra_ws.auth import service
from netra_ws.auth.service import AuthService
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import User, UserStore, make_demo_users
from netra_ws.settings import Settings

SECRET = "a secret of sixty-four bytes or more, which is as long as HS512 wants it"
LIFETIME_S = Settings().token_lifetime_s
LEEWAY_S = Settings().token_leeway_s

USERS, LOGINS = make_demo_users(2)
ANN, BOB = LOGINS
NOBODY = "nobody@demo.example"


@asynccontextmanager
async def serving(users: UserStore = USERS, **limits: Any) -> AsyncIterator[AuthService]:
    limits.setdefault("failed_login_s", 0.0)
    tokens = Tokens(SECRET, Settings(**limits))
    async with AuthService(users, tokens, "127.0.0.1", 0) as listening:
        yield listening


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Both services as one process; what it logs is in `server.log()`."""
    folder = tmp_path_factory.mktemp("server")
    env = {"NETRA_WS_SECRET": SECRET}
    with Server("--demo-users", "1", cwd=folder, log=folder / "log", env=env) as started:
        yield started


# HTTP as it is on the wire


class Reply(NamedTuple):
    """One response: its status, its head without the date, and its body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        found = re.search(rf"^{name}: (.*?)\r?$", self.head.decode(), re.MULTILINE | re.IGNORECASE)
        return found[1] if found else None


def post(
    body: bytes,
    *headers: bytes,
    start: bytes = b"POST /auth/login HTTP/1.1",
    length: bool = True,
    close: bool = True,
) -> bytes:
    lines = [start, b"Host: x", *headers]
    lines += [b"Content-Length: %d" % len(body)] if length else []
    lines += [b"Connection: close"] if close else []
    return b"\r\n".join([*lines, b"", body])


def credentials(email: str, password: str) -> bytes:
    return json.dumps({"email": email, "password": password}).encode()


def get(path: bytes) -> bytes:
    return post(b"", start=b"GET %b HTTP/1.1" % path)


async def send(url: str, sent: bytes, source: str | None = None) -> list[Reply]:
    """Send bytes; return the responses that come until the server closes."""
    async with asyncio.timeout(HANG_S):
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection(*address(url), local_addr=local)
        try:
            writer.write(sent)
            received = await reader.read()
        finally:
            writer.close()
    replies = []
    while received:
        head, separator, received = received.partition(b"\r\n\r\n")
        assert separator
        head = re.sub(rb"\r\nDate: [^\r]*", b"", head)
        length = re.search(rb"Content-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        replies.append(Reply(int(head.split()[1]), head, received[:size]))
        received = received[size:]
    return replies


async def log_in(url: str, email: str, password: str, source: str | None = None) -> Reply:
    (reply,) = await send(url, post(credentials(email, password)), source)
    return reply


async def metric(url: str, name: str) -> float:
    (reply,) = await send(url, get(b"/metrics"))
    (line,) = [line for line in reply.body.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


async def until(url: str, name: str, value: float) -> None:
    async with asyncio.timeout(HANG_S):
        while await metric(url, name) != value:
            pass


class Gated(UserStore):
    """A store with Eve in it, who is looked up when the gate is open."""

    def __init__(self) -> None:
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        super().__init__([User("eve@x", "eve", quick.hash("right"))])
        self.gate = threading.Event()

    def authenticate(self, email: str, password: str) -> User | None:
        assert self.gate.wait(HANG_S)
        return super().authenticate(email, password)


# Tokens


def claims(**changed: Any) -> dict[str, Any]:
    now = time.time()
    good = {"sub": "user1", "jti": "token-1", "aud": "netra-ws", "iss": "netra-ws-auth"}
    return {**good, "iat": now, "nbf": now, "exp": now + LIFETIME_S, **changed}


def forge(
    *, secret: str = SECRET, algorithm: str = "HS256", without: str = "", **changed: Any
) -> str:
    said = claims(**changed)
    said.pop(without, None)
    return jwt.PyJWS().encode(json.dumps(said).encode(), secret, algorithm)


def unsigned(algorithm: str) -> str:
    """A token that says that it needs no signature, and has none."""
    header = jwt.utils.base64url_encode(json.dumps({"alg": algorithm}).encode()).decode()
    return f"{header}.{forge().split('.')[1]}."


def in_s(seconds: float) -> float:
    return time.time() + seconds


FORGED: dict[str, Any] = {
    "alg none": lambda: unsigned("none"),
    "alg NONE": lambda: unsigned("NONE"),
    "alg HS256 without a signature": lambda: unsigned("HS256"),
    "alg HS512 with the same secret": lambda: forge(algorithm="HS512"),
    "signature of another secret": lambda: forge(secret="x" * 32),
    "signature of another token": lambda: ".".join(
        [*forge(sub="user2").split(".")[:2], forge().split(".")[2]]
    ),
    "exp missing": lambda: forge(without="exp"),
    "exp past": lambda: forge(iat=in_s(-90), nbf=in_s(-90), exp=in_s(-LEEWAY_S - 1)),
    "exp for ever": lambda: forge(exp=in_s(3650 * 86400)),
    "exp infinite": lambda: forge(exp=math.inf),
    "exp NaN": lambda: forge(exp=math.nan),
    "exp of 400 digits": lambda: forge(exp=10**400),
    "exp text": lambda: forge(exp="soon"),
    "exp a number in text": lambda: forge(exp=str(int(in_s(60)))),
    "exp true": lambda: forge(exp=True),
    "exp null": lambda: forge(exp=None),
    "nbf missing": lambda: forge(without="nbf"),
    "nbf future": lambda: forge(nbf=in_s(LEEWAY_S + HANG_S)),
    "nbf text": lambda: forge(nbf="0"),
    "iat missing": lambda: forge(without="iat"),
    "iat future": lambda: forge(iat=in_s(LEEWAY_S + HANG_S)),
    "iat minus infinite": lambda: forge(iat=-math.inf),
    "iat long ago": lambda: forge(iat=0),
    "aud missing": lambda: forge(without="aud"),
    "aud wrong": lambda: forge(aud="another"),
    "aud empty": lambda: forge(aud=[]),
    "iss missing": lambda: forge(without="iss"),
    "iss wrong": lambda: forge(iss="another"),
    "sub missing": lambda: forge(without="sub"),
    "sub empty": lambda: forge(sub=""),
    "sub of a service": lambda: forge(sub="service:health"),
    "sub a number": lambda: forge(sub=7),
    "sub with a newline": lambda: forge(sub="user1\n"),
    "jti missing": lambda: forge(without="jti"),
    "jti empty": lambda: forge(jti=""),
    "jti too long": lambda: forge(jti="x" * 129),
    "jti a number": lambda: forge(jti=7),
    "no token": lambda: "hello",
}


@pytest.mark.parametrize("make", FORGED.values(), ids=list(FORGED))
async def test_a_forged_token_is_401_as_any_other(server: Server, make: Any) -> None:
    """The answer is that to no token at all; the log says what was wrong, and no token."""
    expected = await refusal(server.backend, None)
    earlier = len(server.log())
    token = make()
    answer = await refusal(server.backend, token)
    assert (answer.status, answer.content_type, answer.body) == (401, PROBLEM, expected.body)
    heads = [
        sorted((name, value) for name, value in one.headers.items() if name.lower() != "date")
        for one in (answer, expected)
    ]
    assert heads[0] == heads[1]
    (line,) = server.log()[earlier:]
    assert (line["event"], line["level"]) == ("token refused", "warning")
    assert line["reason"]
    if "." in token:
        assert not any(part and part in json.dumps(line) for part in token.split("."))


WITHIN: dict[str, Any] = {
    "nothing wrong": forge,
    "exp past": lambda: forge(iat=in_s(-90), nbf=in_s(-90), exp=in_s(-1)),
    "nbf and iat future": lambda: forge(nbf=in_s(LEEWAY_S - 15), iat=in_s(LEEWAY_S - 15)),
    "the longest lifetime": lambda: forge(exp=in_s(LIFETIME_S + LEEWAY_S - 15)),
    "the longest jti": lambda: forge(jti="x" * 128),
    "times in whole seconds": lambda: forge(**{k: int(in_s(v)) for k, v in WHOLE.items()}),
}
WHOLE = {"iat": 0, "nbf": 0, "exp": 60}


@pytest.mark.parametrize("make", WITHIN.values(), ids=list(WITHIN))
@pytest.mark.guards("token_leeway_s")
async def test_a_token_within_the_leeway_is_let_in(server: Server, make: Any) -> None:
    async with dial(server.backend, make()) as socket:
        await read_until(socket, "connection_ready")


# Logins that fail


FLOOR_S = 60.0


@pytest.mark.guards("failed_login_s")
async def test_a_failed_login_does_not_tell_who_exists(clock: Clock) -> None:
    """Known and unknown by turns, each six times: the same bytes, and none before the floor.

    The floor is what makes the time constant; where there is none, this fails.
    """
    users = Gated()
    async with serving(users, failed_login_s=FLOOR_S, max_failed_logins=100) as listening:
        replies = []
        for _ in range(6):
            for email in ("eve@x", NOBODY):
                users.gate.clear()
                asking = asyncio.create_task(log_in(listening.url, email, "wrong"))
                await until(listening.url, "netra_ws_logins_waiting", 1)
                users.gate.set()
                await until(listening.url, "netra_ws_logins_waiting", 0)
                clock.forward(FLOOR_S / 2)
                assert await metric(listening.url, "netra_ws_logins_waiting") == 0
                assert not asking.done()
                clock.forward(FLOOR_S / 2)
                replies.append(await asking)
        assert {reply.status for reply in replies} == {401}
        assert len(set(replies)) == 1


async def test_a_good_login_does_not_wait_for_the_floor() -> None:
    async with serving(failed_login_s=FLOOR_S) as listening, asyncio.timeout(FLOOR_S):
        assert (await log_in(listening.url, ANN.email, ANN.password)).status == 200


@pytest.mark.guards("max_failed_logins")
async def test_a_failed_login_too_many_is_429() -> None:
    """Whoever exists, and whatever the password: it is not looked at."""
    limits = {"max_failed_logins": 3, "failed_login_window_s": 3600.0}
    async with serving(**limits) as listening:
        with capture_logs() as lines:
            limited = []
            for email in (ANN.email, NOBODY):
                for _ in range(3):
                    assert (await log_in(listening.url, email, "wrong")).status == 401
                limited.append(await log_in(listening.url, email, ANN.password))
            assert (await log_in(listening.url, BOB.email, BOB.password)).status == 200
        for reply in limited:
            assert (reply.status, reply.header("Content-Type")) == (429, PROBLEM)
            assert 1200 - HANG_S <= int(reply.header("Retry-After") or 0) <= 1200
            assert json.loads(reply.body)["status"] == 429
        over = [line for line in lines if line["event"] == "limit exceeded"]
        assert [(line["limit"], line["email"], line["address"]) for line in over] == [
            ("max_failed_logins", email, "127.0.0.1") for email in (ANN.email, NOBODY)
        ]
        assert {line["log_level"] for line in over} == {"warning"}
        counted = 'netra_ws_limit_exceeded_total{limit="max_failed_logins"}'
        assert await metric(listening.url, counted) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.1 is all of loopback")
async def test_another_address_has_a_budget_of_its_own() -> None:
    async with serving(max_failed_logins=1, failed_login_window_s=3600.0) as listening:
        statuses = [
            (await log_in(listening.url, ANN.email, password, source)).status
            for password, source in (
                ("wrong", "127.0.0.1"),
                (ANN.password, "127.0.0.1"),
                (ANN.password, "127.0.0.2"),
            )
        ]
        assert statuses == [401, 429, 200]


async def test_another_spelling_is_another_email() -> None:
    """To the lookup as to the limit, so that none of the two knows more spellings."""
    async with serving(max_failed_logins=1, failed_login_window_s=3600.0) as listening:
        for email in (ANN.email.upper(), f" {ANN.email}", f"{ANN.email}\0"):
            assert (await log_in(listening.url, email, ANN.password)).status == 401
        assert (await log_in(listening.url, ANN.email, ANN.password)).status == 200


async def test_a_success_takes_nothing_from_the_budget() -> None:
    async with serving(max_failed_logins=2, failed_login_window_s=3600.0) as listening:
        passwords = [*[ANN.password] * 6, "wrong", ANN.password, "wrong", ANN.password]
        replies = [await log_in(listening.url, ANN.email, password) for password in passwords]
        assert [reply.status for reply in replies] == [*[200] * 6, 401, 200, 401, 429]


@pytest.mark.guards("failed_login_window_s")
async def test_the_budget_comes_back(clock: Clock) -> None:
    async with serving(max_failed_logins=1, failed_login_window_s=3600.0) as listening:
        statuses = [
            (await log_in(listening.url, ANN.email, password)).status
            for password in ("wrong", ANN.password)
        ]
        clock.forward(3600)
        statuses.append((await log_in(listening.url, ANN.email, ANN.password)).status)
        assert statuses == [401, 429, 200]


async def test_attempts_at_the_same_time_share_the_budget() -> None:
    async with serving(max_failed_logins=3, failed_login_window_s=3600.0) as listening:
        replies = await asyncio.gather(
            *(log_in(listening.url, ANN.email, f"guess {n}") for n in range(20))
        )
        assert Counter(reply.status for reply in replies) == {401: 3, 429: 17}


class Failing(UserStore):
    """Users whose hashes cannot be computed."""

    def __init__(self, error: Exception) -> None:
        super().__init__([])
        self.error = error

    def authenticate(self, _email: str, _password: str) -> User | None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [MemoryError(), VerificationError("Memory allocation error"), HashingError("Threads failed")],
    ids=["memory", "verification", "hashing"],
)
async def test_a_hash_that_cannot_be_computed_is_503_and_no_guess(error: Exception) -> None:
    async with serving(Failing(error), max_failed_logins=1) as listening:
        with capture_logs() as lines:
            replies = [await log_in(listening.url, "eve@x", "right") for _ in range(3)]
        counted = await metric(listening.url, 'netra_ws_logins_total{result="failed"}')
    assert {(reply.status, reply.header("Content-Type")) for reply in replies} == {(503, PROBLEM)}
    assert replies[0].header("Retry-After") == "5"
    said = [(line["event"], line["email"], line["exc_info"]) for line in lines]
    assert said == [("hash failed", "eve@x", error)] * 3
    assert counted == 3


@pytest.mark.guards("max_waiting_logins")
async def test_a_login_too_many_at_a_time_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_CONCURRENT_HASHES", 1)
    users = Gated()
    async with serving(users, max_waiting_logins=3) as listening:
        first = [asyncio.create_task(log_in(listening.url, f"{n}@x", "wrong")) for n in range(3)]
        await until(listening.url, "netra_ws_logins_waiting", 3)
        with capture_logs() as lines:
            reply = await log_in(listening.url, "eve@x", "right")
        assert (reply.status, reply.header("Content-Type")) == (503, PROBLEM)
        assert reply.header("Retry-After") == "5"
        assert [(line["event"], line["limit"]) for line in lines] == [
            ("limit exceeded", "max_waiting_logins")
        ]
        users.gate.set()
        assert {(await one).status for one in first} == {401}
        assert await metric(listening.url, "netra_ws_logins_waiting") == 0
        assert (await log_in(listening.url, "eve@x", "right")).status == 200


async def test_whoever_waits_longest_makes_room_for_a_login() -> None:
    async with serving(max_pending_connections=2) as listening, asyncio.timeout(HANG_S):
        silent = [await asyncio.open_connection(*address(listening.url)) for _ in range(2)]
        with capture_logs() as lines:
            assert (await log_in(listening.url, ANN.email, ANN.password)).status == 200
        refused = await silent[0][0].read()  # to the end: it is closed
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in refused
        (line,) = [line for line in lines if line["event"] == "limit exceeded"]
        assert (line["limit"], line["code"]) == ("max_pending_connections", 503)
        name = 'netra_ws_limit_exceeded_total{limit="max_pending_connections"}'
        assert await metric(listening.url, name) == 1
        silent[1][1].write(get(b"/metrics"))
        assert (await silent[1][0].read()).startswith(b"HTTP/1.1 200 ")
        for _, writer in silent:
            writer.close()


async def test_a_connection_that_is_used_is_not_the_oldest() -> None:
    async with serving(max_pending_connections=2) as listening, asyncio.timeout(HANG_S):
        used = await asyncio.open_connection(*address(listening.url))
        silent = await asyncio.open_connection(*address(listening.url))
        again = post(b"", start=b"GET /nothing HTTP/1.1", close=False)
        for reader, writer in (used, used):
            writer.write(again)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 404 ")
        assert (await log_in(listening.url, ANN.email, ANN.password)).status == 200
        assert (await silent[0].read()).startswith(b"HTTP/1.1 503 ")
        used[1].write(again)
        assert (await used[0].readuntil(b"}")).startswith(b"HTTP/1.1 404 ")
        for _, writer in (used, silent):
            writer.close()


async def test_the_metrics_count_every_login_once() -> None:
    async with serving(max_failed_logins=2, failed_login_window_s=3600.0) as listening:
        for password in (ANN.password, "wrong", "wrong", "wrong"):
            await log_in(listening.url, ANN.email, password)
        await send(listening.url, post(b"{}"))
        await send(listening.url, b"\0\r\n\r\n")
        (reply,) = await send(listening.url, get(b"/metrics"))
        assert (reply.header("Content-Type") or "").startswith("text/plain; version=")
        values = dict(
            line.rsplit(" ", 1)
            for line in reply.body.decode().splitlines()
            if not line.startswith("#") and "_created" not in line and "_wait_seconds_" not in line
        )
        assert values == {
            'netra_ws_logins_total{result="accepted"}': "1.0",
            'netra_ws_logins_total{result="refused"}': "2.0",
            'netra_ws_logins_total{result="limited"}': "1.0",
            'netra_ws_logins_total{result="malformed"}': "1.0",
            'netra_ws_logins_total{result="failed"}': "0.0",
            'netra_ws_limit_exceeded_total{limit="max_failed_logins"}': "1.0",
            'netra_ws_limit_exceeded_total{limit="max_pending_connections"}': "0.0",
            'netra_ws_limit_exceeded_total{limit="max_waiting_logins"}': "0.0",
            'netra_ws_limit_exceeded_total{limit="max_waiting_logins_per_address"}': "0.0",
            'netra_ws_limit_exceeded_total{limit="open_timeout_s"}': "0.0",
            'netra_ws_requests_refused_total{status="400"}': "1.0",
            'netra_ws_requests_refused_total{status="401"}': "2.0",
            'netra_ws_requests_refused_total{status="422"}': "1.0",
            'netra_ws_requests_refused_total{status="429"}': "1.0",
            "netra_ws_malformed_requests_total": "1.0",
            "netra_ws_log_lines_dropped_total": "0.0",
            "netra_ws_logins_waiting": "0.0",
            "netra_ws_threads_waiting": "0.0",
        }


# Malformed HTTP


GOOD = credentials("user1@demo.example", "wrong")
CHUNKED = b"Transfer-Encoding: chunked"

MALFORMED: dict[str, tuple[bytes, list[int]]] = {
    "garbage": (b"\x00\xff\xfe garbage\r\n\r\n", [400]),
    "a ClientHello": (bytes.fromhex("16030100a5010000a10303") + bytes(range(160)), [400]),
    "another method": (post(GOOD, start=b"BREW /auth/login HTTP/1.1"), [400]),
    "a method of signs": (post(GOOD, start=b"P@ST /auth/login HTTP/1.1"), [400]),
    "PUT": (post(GOOD, start=b"PUT /auth/login HTTP/1.1"), [405]),
    "two slashes": (post(GOOD, start=b"POST //auth/login HTTP/1.1"), [404]),
    "a percent sign for a slash": (post(GOOD, start=b"POST /auth%2Flogin HTTP/1.1"), [404]),
    "percent signs twice": (post(GOOD, start=b"POST /auth/%256cogin HTTP/1.1"), [404]),
    "dot segments": (post(GOOD, start=b"POST /auth/../auth/login HTTP/1.1"), [404]),
    "a fragment": (post(GOOD, start=b"POST /auth/login#x HTTP/1.1"), [404]),
    "an address with a user": (post(GOOD, start=b"POST http://u@x/auth/login HTTP/1.1"), [404]),
    "percent signs that are not needed": (
        post(b"{}", start=b"POST /auth/%6c%6Fgin?%6c HTTP/1.1"),
        [422],
    ),
    "absolute form": (post(b"{}", start=b"POST http://x/auth/login HTTP/1.1"), [422]),
    "absolute form of another host": (
        post(b"{}", start=b"POST HTTPS://y:1/auth/login HTTP/1.1"),
        [422],
    ),
    "absolute form without a path": (post(b"", start=b"GET http://x HTTP/1.1"), [404]),
    "an empty line first": (b"\r\n" + post(b"{}"), [422]),
    "CONNECT": (post(b"", start=b"CONNECT x:1 HTTP/1.1", length=False), [404]),
    "OPTIONS *": (post(b"", start=b"OPTIONS * HTTP/1.1", length=False), [404]),
    "HTTP/0.9": (b"GET /\r\n\r\n", [404]),
    "HTTP/1.0": (post(b"{}", start=b"POST /auth/login HTTP/1.0"), [422]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/3.0": (post(GOOD, start=b"POST /auth/login HTTP/3.0"), [400]),
    "two at a time": (post(b"{}", close=False) + get(b"/nothing"), [422, 404]),
    "bytes after a body": (post(b"{}", close=False) + b"trailing\r\n\r\n", [400]),
    "bytes after the last body": (post(b"{}") + b"trailing\r\n\r\n", [400]),
    "chunks that are none": (post(b"zz\r\n{}\r\n", CHUNKED, length=False), [400]),
    "a negative chunk": (post(b"-5\r\n{}\r\n0\r\n\r\n", CHUNKED, length=False), [400]),
    "a chunk that is too long": (post(b"2\r\n{}{}\r\n0\r\n\r\n", CHUNKED, length=False), [400]),
    "chunks and a length": (post(b"0\r\n\r\n", CHUNKED), [400]),
    "another transfer coding": (post(b"", b"Transfer-Encoding: x", length=False), [400]),
    "a length too short": (post(GOOD, b"Content-Length: 5", length=False), [400]),
    "a negative length": (post(GOOD, b"Content-Length: -5", length=False), [400]),
    "a length in words": (post(GOOD, b"Content-Length: ten", length=False), [400]),
    "a length of 23 digits": (post(GOOD, b"Content-Length: " + b"9" * 23, length=False), [400]),
    "two lengths": (post(GOOD, b"Content-Length: 5"), [400]),
    "a false gzip": (post(GOOD, b"Content-Encoding: gzip"), [415]),
    "a true gzip": (post(gzip.compress(GOOD), b"Content-Encoding: gzip"), [415]),
    "a false brotli": (post(GOOD, b"Content-Encoding: br"), [415]),
    "an unknown Expect": (post(GOOD, b"Expect: x"), [417]),
    "Expect: 100-continue": (post(b"{}", b"Expect: 100-continue"), [100, 422]),
    "an unknown Expect where there is no route": (
        post(b"", b"Expect: x", start=b"GET /nothing HTTP/1.1", length=False),
        [404],
    ),
    "a header of 100 kB": (post(GOOD, b"X: " + b"y" * 100_000), [400]),
    "a header name of 100 kB": (post(GOOD, b"y" * 100_000 + b": x"), [400]),
    "1000 headers": (post(GOOD, *[b"X-%d: y" % n for n in range(1000)]), [400]),
    "a request line of 100 kB": (get(b"/" + b"y" * 100_000), [400]),
    "NUL in a header": (post(GOOD, b"X: a\0b"), [400]),
    "NUL in the path": (get(b"/auth/login\0"), [400]),
    "a line that is no header": (post(GOOD, b"no colon"), [400]),
    "a folded header": (post(GOOD, b"X: y\r\n z"), [400]),
    "a path that is not UTF-8": (get(b"/\xe4"), [400]),
    "a path that hides a control character": (get(b"/%ff%00%0a"), [404]),
    "an address that is none": (get(b"http://[::1/auth/login"), [400]),
    "no host": (b"POST /auth/login HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", [400]),
    "two hosts": (post(GOOD, b"Host: y"), [400]),
    "lines that end too soon": (post(GOOD).replace(b"\r\n", b"\n"), [400]),
    "an upgrade": (post(b"{}", b"Upgrade: h2c", b"Connection: Upgrade, close", close=False), [422]),
    "brackets in brackets": (post(b"[" * 60_000), [422]),
    "brackets beside a login": (post(GOOD[:-1] + b', "x": ' + b"[" * 60_000), [422]),
    "NaN": (post(b'{"email": NaN, "password": "x"}'), [422]),
    "a number of 5000 digits": (post(b'{"email": 1' + b"0" * 5000 + b"}"), [422]),
    "a body of 70 kB": (post(b" " * 70_000), [413]),
    "a body that is not UTF-8": (post(b'{"email": "\xe4", "password": "x"}'), [422]),
}


@pytest.mark.parametrize(("sent", "statuses"), MALFORMED.values(), ids=list(MALFORMED))
async def test_malformed_http_is_answered_or_closed(
    server: Server, sent: bytes, statuses: list[int]
) -> None:
    """Each answer is a problem that says nothing of the software; no line is a traceback."""
    earlier = len(server.log())
    replies = await send(server.auth, sent)
    assert [reply.status for reply in replies] == statuses
    for reply in replies:
        assert reply.header("Server") is None
        assert not re.search(rb"aiohttp|python|netra_ws|\.py|Traceback", reply.head + reply.body)
        if reply.status != 100:
            assert reply.header("Content-Type") == PROBLEM
            assert json.loads(reply.body)["status"] == reply.status
    lines = server.log()[earlier:]
    expected = {100: [], 400: ["malformed request"]}
    said = [event for status in statuses for event in expected.get(status, ["request refused"])]
    assert [line["event"] for line in lines] == said
    assert all(line["address"] == "127.0.0.1" for line in lines)
    assert not any({"traceback", "exception"} & set(line) for line in lines)


async def test_a_body_that_breaks_after_its_answer_leaves_no_traceback(tmp_path: Path) -> None:
    """Where aiohttp parses in Python, as it does without its extension, it logs one of its own."""
    log = tmp_path / "log"
    env = {"AIOHTTP_NO_EXTENSIONS": "1"}
    with Server("--demo-users", "1", cwd=tmp_path, log=log, env=env) as server:
        async with asyncio.timeout(HANG_S):
            reader, writer = await asyncio.open_connection(*address(server.auth))
            start = b"POST /nothing HTTP/1.1"
            writer.write(post(b"5\r\n{", CHUNKED, start=start, length=False))
            assert b" 404 " in await reader.readuntil(b"}")
            writer.write(b"}}}}no chunk\r\n")
            await reader.read()
            writer.close()
        await until(server.auth, "netra_ws_malformed_requests_total", 1)
        await asyncio.to_thread(server.stop)
        events = [line["event"] for line in server.log()]
        refused = ["request refused", "malformed request"]
        assert events == ["listening", *refused, "stopping", "stopped"]
        assert "Traceback" not in server.stderr()


async def test_after_all_that_it_still_logs_in(server: Server) -> None:
    user = server.users[0]
    assert (await log_in(server.auth, user.email, user.password)).status == 200


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"", []),
        (b"\r\n\r\n", []),
        (b"POST /auth/log", []),
        (post(b"{}")[:-10], []),
        (post(b"{}", close=False)[:-1], [408]),
        (post(b"2\r\n{", CHUNKED, length=False, close=False), [408]),
    ],
    ids=["nothing", "empty lines", "half a line", "half a head", "half a body", "half a chunk"],
)
async def test_a_request_that_does_not_arrive_ends(
    sent: bytes, statuses: list[int], clock: Clock
) -> None:
    async with serving(open_timeout_s=HANG_S / 2, close_timeout_s=0.1) as listening:
        sending = asyncio.create_task(send(listening.url, sent))
        for _ in range(2):  # it has read what came before, and its connection is there
            assert await metric(listening.url, "netra_ws_logins_waiting") == 0
        clock.forward(HANG_S / 2)
        replies = await sending
        assert [reply.status for reply in replies] == statuses
        assert await metric(listening.url, 'netra_ws_requests_refused_total{status="408"}') == 1
        for reply in replies:
            assert (reply.header("Content-Type"), reply.header("Connection")) == (PROBLEM, "close")


async def test_a_client_that_breaks_off_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In its body, after a head that is answered without it, and before its answer."""
    users = Gated()
    async with serving(users) as listening:
        body, elsewhere = post(b"{}")[:-1], post(b"{}", start=b"POST /nothing HTTP/1.1")[:-1]
        with capture_logs() as lines:
            for sent in (body, elsewhere, post(credentials("eve@x", "wrong"))):
                _, writer = await asyncio.open_connection(*address(listening.url))
                writer.write(sent)
                await until(listening.url, "netra_ws_logins_waiting", 1 if b"eve" in sent else 0)
                writer.transport.abort()
            users.gate.set()
            await until(listening.url, 'netra_ws_logins_total{result="malformed"}', 1)
            await until(listening.url, 'netra_ws_logins_total{result="refused"}', 1)
        events = {"login refused", "malformed request", "request refused"}
        assert {line["event"] for line in lines} <= events
        assert (await log_in(listening.url, "eve@x", "right")).status == 200
    assert [one for one in caplog.records if not one.name.startswith("netra_ws")] == []


class FailingStore(UserStore):
    """A store whose disk is gone, as it were."""

    def authenticate(self, email: str, password: str) -> User | None:
        raise RuntimeError("a detail for the log alone")


async def test_a_failure_of_the_service_is_500_and_says_so_in_the_log_alone() -> None:
    async with serving(FailingStore([])) as listening:
        with capture_logs() as lines:
            reply = await log_in(listening.url, ANN.email, ANN.password)
        assert (reply.status, reply.header("Content-Type")) == (500, PROBLEM)
        assert b"detail for" not in reply.body
        assert reply.header("Server") is None
        (line,) = lines
        assert (line["event"], line["route"]) == ("route failed", "/auth/login")
        assert str(line["exc_info"]) == "a detail for the log alone"
