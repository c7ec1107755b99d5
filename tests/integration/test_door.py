"""Who stands at the door: clients behind proxies, pages of other origins, requests that are bad."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from argon2 import PasswordHasher
from limits import HANG_S
from plain_client import UPGRADE
from processes import Serve
from structlog.testing import capture_logs

from netra_incident.history.deployment import deploy
from netra_incident.measuring.load import run_sessions
from netra_ws.auth.service import AuthService
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import User, UserStore
from netra_ws.manager import ManagerRegistry
from netra_ws.origins import Origins
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

SECRET = "a secret of the tests, long enough for HS256"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
SIOCGIFADDR = 0x8915
EVE = User("eve@x", "eve", QUICK.hash("right"))
APP = "https://app.example"

elsewhere = pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is loopback there")


class Reply(NamedTuple):
    """One response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    url: str, line: str, *fields: str, body: bytes = b"", source: str | None = None
) -> Reply:
    """Send one request, from the address `source`; return its answer."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    local = (source, 0) if source else None
    async with asyncio.timeout(HANG_S):
        reader, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), local_addr=local
        )
        try:
            head = [f"{line} HTTP/1.1", "Host: x", "Connection: close", *fields]
            head += [f"Content-Length: {len(body)}"] if body else []
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            received = await reader.read()
        finally:
            writer.close()
    head_bytes, _, rest = received.partition(b"\r\n\r\n")
    status, *named = head_bytes.decode().split("\r\n")
    headers = dict(one.split(": ", 1) for one in named)
    return Reply(int(status.split()[1]), {k.lower(): v for k, v in headers.items()}, rest)


async def log_in(
    service: AuthService, password: str, *fields: str, email: str = "eve@x", source: str = ""
) -> Reply:
    body = json.dumps({"email": email, "password": password}).encode()
    return await ask(service.url, "POST /auth/login", *fields, body=body, source=source or None)


async def metrics(url: str, name: str) -> dict[str, float]:
    """Return the values of a metric by its labels, as text."""
    text = (await ask(url, "GET /metrics")).body.decode()
    lines = [line for line in text.splitlines() if line.startswith(f"netra_ws_{name}")]
    pairs = [line.removeprefix(f"netra_ws_{name}").rsplit(" ", 1) for line in lines]
    return {labels: float(value) for labels, value in pairs}


class Gated(UserStore):
    """A store with Eve in it, who is looked up when the gate is open."""

    def __init__(self) -> None:
        super().__init__([EVE])
        self.gate = threading.Event()

    def authenticate(self, email: str, password: str) -> User | None:
        assert self.gate.wait(HANG_S)
        return super().authenticate(email, password)


@asynccontextmanager
async def logins(users: UserStore | None = None, **limits: Any) -> AsyncIterator[AuthService]:
    tokens = Tokens(SECRET, Settings(failed_login_s=0.0, **limits))
    async with AuthService(users or UserStore([EVE]), tokens, "127.0.0.1", 0) as service:
        yield service


@asynccontextmanager
async def sockets(host: str = "127.0.0.1", **limits: Any) -> AsyncIterator[Backend]:
    settings = Settings(**limits)
    registry = ManagerRegistry(settings)
    async with Backend(registry, Tokens(SECRET, settings), host=host) as backend:
        yield backend


def bearer() -> str:
    return f"Authorization: Bearer {Tokens(SECRET, Settings()).issue('eve')}"


# Logins that wait


async def until(service: AuthService, name: str, value: float) -> None:
    async with asyncio.timeout(HANG_S):
        while (await metrics(service.url, name)).get("") != value:
            pass


@pytest.mark.guards("max_waiting_logins_per_address")
@elsewhere
async def test_one_address_cannot_take_all_places_of_logins() -> None:
    """150 connections try new emails: those of another address wait for their turn, no longer."""
    users, limit = Gated(), "max_waiting_logins_per_address"
    async with logins(users) as service:
        with capture_logs() as lines:
            crowd = [
                asyncio.create_task(log_in(service, "wrong", email=f"{n}@x")) for n in range(150)
            ]
            await until(service, f'limit_exceeded_total{{limit="{limit}"}}', 142)
            honest = [
                asyncio.create_task(log_in(service, "right", source="127.0.0.2")) for _ in range(5)
            ]
            await until(service, "logins_waiting", 13)
            users.gate.set()
            assert [(await one).status for one in honest] == [200] * 5
            replies = [await one for one in crowd]
        refused = [reply for reply in replies if reply.status == HTTPStatus.TOO_MANY_REQUESTS]
        assert [reply.status for reply in replies if reply not in refused] == [401] * 8
        assert {reply.headers["retry-after"] for reply in refused} == {"2"}
        said = {(line["limit"], line["address"]) for line in lines if "limit" in line}
        assert said == {(limit, "127.0.0.1")}
        assert len(refused) == 142
        assert (await log_in(service, "right")).status == 200


@pytest.mark.guards("trusted_proxies")
async def test_clients_behind_a_proxy_wait_and_are_counted_by_themselves() -> None:
    users = Gated()
    limits = {"max_waiting_logins_per_address": 1, "trusted_proxies": ("127.0.0.1",)}
    async with logins(users, **limits) as service:
        seen = ["198.51.100.1", "2001:db8::1", "2001:db8:0:1::1"]
        fields = [f"X-Forwarded-For: 6.6.6.6, {address}" for address in seen]
        first = [asyncio.create_task(log_in(service, "right", field)) for field in fields]
        await until(service, "logins_waiting", 3)
        for same in ("198.51.100.1:4711", "::ffff:198.51.100.1", "[2001:db8::2]:443"):
            reply = await log_in(service, "right", f"X-Forwarded-For: {same}")
            assert reply.status == HTTPStatus.TOO_MANY_REQUESTS
        users.gate.set()
        assert [(await one).status for one in first] == [200] * 3


async def test_a_hundred_people_of_our_own_load_log_in_from_one_address() -> None:
    with deploy(users=100) as deployment:
        done = await run_sessions(deployment, users=100, each=1)
    assert [session.outcome for session in done if not session.completed] == []
    assert len(done) == 100


# Guesses behind a proxy

OWNER, GUESSER = "198.51.100.1", "203.0.113.9"


@pytest.mark.guards("client_address_header")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_guesses_behind_a_proxy_do_not_lock_the_owner_out(header: str) -> None:
    def of(address: str) -> tuple[str, str]:
        """The proxy appends what it sees to what its client wrote; the other header passes."""
        other = "Forwarded" if header == "X-Forwarded-For" else "X-Forwarded-For"
        values = {"X-Forwarded-For": f"{OWNER}, {address}", "Forwarded": f"for={address}"}
        return f"{header}: {values[header]}", f"{other}: {values[other]}".replace(address, OWNER)

    limits = {"trusted_proxies": ("127.0.0.1",), "client_address_header": header}
    async with logins(failed_login_window_s=3600.0, **limits) as service:
        with capture_logs() as lines:
            guesses = [await log_in(service, f"guess {n}", *of(GUESSER)) for n in range(6)]
            assert [reply.status for reply in guesses] == [401] * 5 + [429]
            assert (await log_in(service, "right", *of(GUESSER))).status == 429
            assert (await log_in(service, "right", *of(OWNER))).status == 200
        named = {line["address"] for line in lines if line["event"] != "login"}
        assert named == {GUESSER}


@elsewhere
async def test_nobody_but_a_trusted_proxy_names_an_address() -> None:
    async with logins(failed_login_window_s=3600.0, trusted_proxies=("127.0.0.2",)) as service:
        for n in range(5):
            field = f"X-Forwarded-For: 198.51.100.{n}"
            assert (await log_in(service, "wrong", field)).status == 401
        reply = await log_in(service, "right", "X-Forwarded-For: 198.51.100.9")
        assert reply.status == HTTPStatus.TOO_MANY_REQUESTS
        field = "X-Forwarded-For: 198.51.100.9"
        assert (await log_in(service, "right", field, source="127.0.0.2")).status == 200


async def test_the_backend_logs_the_address_that_a_proxy_names() -> None:
    async with sockets(trusted_proxies=("127.0.0.0/8",)) as backend:
        with capture_logs() as lines:
            field = "X-Forwarded-For: 203.0.113.9"
            assert (await ask(backend.url, "GET /ws", *UPGRADE, field)).status == 401
            foreign = (bearer(), "Origin: https://elsewhere.example")
            assert (await ask(backend.url, "GET /ws", *UPGRADE, *foreign, field)).status == 403
            assert (await ask(backend.url, "GET /nothing", field)).status == 404
        assert [(line["event"], line["address"]) for line in lines] == [
            ("token refused", "203.0.113.9"),
            ("limit exceeded", "203.0.113.9"),
            ("request refused", "203.0.113.9"),
        ]


# Pages


async def connect(backend: Backend, origin: str, at: str = "") -> int:
    """Return the status of a handshake of a page of `origin`, with a Host header to match."""
    fields = (*UPGRADE, bearer(), f"Origin: {origin}", f"Host: {origin.rpartition('/')[2]}")
    host, _, port = (at or backend.url).removeprefix("http://").rpartition(":")
    async with asyncio.timeout(HANG_S):
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write("\r\n".join(["GET /ws HTTP/1.1", *fields, "", ""]).encode())
        line = await reader.readline()
        writer.close()
    return int(line.split()[1])


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    if sys.platform != "linux":
        pytest.skip("asks Linux for the addresses of its interfaces")
    with socket.socket() as one:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                found = fcntl.ioctl(one.fileno(), SIOCGIFADDR, name.encode().ljust(256, b"\0"))
                if found[20] != 127:
                    return socket.inet_ntoa(found[20:24])
    pytest.skip("expected an interface beside loopback")


async def test_the_own_page_may_connect_wherever_it_is_listened() -> None:
    async with sockets("0.0.0.0") as backend:
        port = backend.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "[::1]", own_address()):
            assert await connect(backend, f"http://{host}:{port}", f"127.0.0.1:{port}") == 101
        for origin in (
            f"http://app.example:{port}",  # as its Host header says, which anybody's DNS can
            f"http://192.0.2.1:{port}",
            f"http://{own_address()}:1",
            f"https://{own_address()}:{port}",
            f"http://{own_address()}:{port}/",
            f"http://{own_address()}.app.example:{port}",
            f"http://user@{own_address()}:{port}",
            f"http://{own_address()}",
        ):
            assert await connect(backend, origin, f"127.0.0.1:{port}") == 403


@pytest.mark.parametrize("zone", ["\udcff", "a" * 80 + "\u00e9", "eth0", "\u2025"])
def test_an_address_with_a_zone_is_nobody_s_own(zone: str) -> None:
    own = Origins((), "")
    own.listen("::", 8000)
    assert not own.grant([f"http://[fe80::1%{zone}]:8000"])


async def test_the_own_page_may_log_in_wherever_it_is_listened(
    serve: Serve, tmp_path: Path
) -> None:
    """Two services of one process: the page is the backend's, the login on another port."""
    users = [{"email": EVE.email, "id": EVE.id, "argon2": EVE.argon2}]
    (tmp_path / "users.json").write_text(json.dumps(users))
    env = {"TEST_ENVIRONMENT": "staging", "NETRA_WS_SECRET": SECRET}
    server = serve("--host", "0.0.0.0", "--users", "users.json", env=env)
    ports = [url.rpartition(":")[2] for url in (server.backend, server.auth)]
    for host, port, granted in (
        (own_address(), ports[0], True),
        ("localhost", ports[0], True),
        (own_address(), ports[1], False),
        ("192.0.2.1", ports[0], False),
        ("app.example", ports[0], False),
    ):
        origin = f"Origin: http://{host}:{port}"
        asked = await ask(
            f"http://127.0.0.1:{ports[1]}", "OPTIONS /auth/login", origin, PREFLIGHT[0]
        )
        assert asked.status == (204 if granted else 405)


async def test_the_own_page_may_connect_over_ipv6() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("expected IPv6")
    async with sockets("::") as backend:
        port = backend.url.rpartition(":")[2]
        for host in ("localhost", "[::1]"):
            assert await connect(backend, f"http://{host}:{port}", f"[::1]:{port}") == 101
        assert await connect(backend, f"http://[2001:db8::1]:{port}", f"[::1]:{port}") == 403


async def test_one_address_alone_is_not_all_of_them() -> None:
    async with sockets() as backend:
        port = backend.url.rpartition(":")[2]
        assert await connect(backend, f"http://localhost:{port}") == 101
        assert await connect(backend, f"http://{own_address()}:{port}") == 403


PREFLIGHT = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")


@pytest.mark.guards("public_url", "allowed_origins")
@pytest.mark.parametrize(
    "limits",
    [
        {"public_url": "https://App.example/chat/"},
        {"allowed_origins": ("HTTPS://APP.example:443/",)},
    ],
    ids=["public_url", "allowed_origins"],
)
async def test_a_page_logs_in_connects_and_logs_out(limits: dict[str, Any]) -> None:
    origin = f"Origin: {APP}"
    async with logins(**limits) as service, sockets(**limits) as backend:
        asked = await ask(service.url, "OPTIONS /auth/login", origin, PREFLIGHT[0])
        assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, APP)
        assert await connect(backend, APP) == 101
        asked = await ask(backend.url, "OPTIONS /ws/revoke", origin, *PREFLIGHT)
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["access-control-allow-methods"] == "POST"
        assert asked.headers["access-control-allow-headers"] == "Authorization"
        assert "content-length" not in asked.headers
        refused = await ask(backend.url, "POST /ws/revoke", origin)
        done = await ask(backend.url, "POST /ws/revoke", origin, bearer())
        config = await ask(backend.url, "GET /ws/config", origin)
        assert (refused.status, done.status, config.status) == (401, 200, 200)
        for answer in (asked, refused, done, config):
            assert answer.headers["access-control-allow-origin"] == APP
            assert answer.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "fields",
    [
        ("Origin: https://elsewhere.example", *PREFLIGHT),
        ("Origin: null", *PREFLIGHT),
        (f"Origin: {APP}", f"Origin: {APP}", *PREFLIGHT),
        PREFLIGHT,
        (f"Origin: {APP}", "Access-Control-Request-Method: PUT"),
        (f"Origin: {APP}",),
    ],
)
async def test_no_other_preflight_is_answered(fields: tuple[str, ...]) -> None:
    async with sockets(allowed_origins=(APP,)) as backend:
        answer = await ask(backend.url, "OPTIONS /ws/revoke", *fields)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert answer.headers["vary"] == "Origin"
        if f"Origin: {APP}" not in fields or fields.count(f"Origin: {APP}") > 1:
            assert "access-control-allow-origin" not in answer.headers


# Bad requests

BAD = {
    400: b"garbage\r\n\r\n",
    404: b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    405: b"PUT /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}
ON_BACKEND = {
    414: b"GET /" + b"x" * 20_000,
    426: b"GET /ws HTTP/1.1\r\nUpgrade: h2c\r\n%b\r\n\r\n",
    431: b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000,
}
ON_LOGINS = {
    413: (b"", b" " * 70_000),
    415: (b"Content-Encoding: gzip\r\n", b""),
    417: (b"Expect: x\r\n", b"x"),
    422: (b"", b"{}"),
}


async def exchange(url: str, sent: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(HANG_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_every_bad_request_of_the_backend_is_counted_and_said() -> None:
    async with sockets() as backend:
        await leaves_a_metric_and_a_line(
            backend.url, BAD | ON_BACKEND | {426: ON_BACKEND[426] % bearer().encode()}
        )
        with capture_logs() as lines:
            assert await exchange(backend.url, b"\n") == b""  # no HTTP: it ends without an answer
        assert [line["status"] for line in lines] == [400]


async def test_every_bad_request_of_the_login_service_is_counted_and_said() -> None:
    async with logins() as service:
        start = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        posts = {
            status: start + field + b"Content-Length: %d\r\n\r\n" % len(body) + body
            for status, (field, body) in ON_LOGINS.items()
        }
        await leaves_a_metric_and_a_line(service.url, BAD | posts)


async def leaves_a_metric_and_a_line(url: str, requests: dict[int, bytes]) -> None:
    for status, sent in requests.items():
        with capture_logs() as lines:
            answer = await exchange(url, sent)
            assert answer.startswith(b"HTTP/1.1 %d " % status)
        (line,) = lines
        assert line["event"] in {"request refused", "malformed request"}
        assert (line["log_level"], line["address"], line["unsaid"]) == ("warning", "127.0.0.1", 0)
    counted = await metrics(url, "requests_refused_total")
    assert counted == {f'{{status="{status}"}}': 1.0 for status in requests}


@pytest.mark.parametrize("where", [sockets, logins])
async def test_a_flood_of_bad_requests_is_counted_and_does_not_fill_the_log(where: Any) -> None:
    async with where() as service:
        with capture_logs() as lines:
            for _ in range(10):
                await asyncio.gather(*(ask(service.url, "GET /nothing") for _ in range(40)))
        said = len(lines)
        assert 100 <= said < 400
        assert (await metrics(service.url, "requests_refused_total"))['{status="404"}'] == 400.0
        assert sum(line["unsaid"] for line in lines) <= 400 - said
