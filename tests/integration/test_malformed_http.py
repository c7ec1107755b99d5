"""Whatever comes in on the backend's port gets an HTTP answer or a clean end."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clock import Clock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from limits import HANG_S
from plain_client import UPGRADE, request
from processes import Server

from netra_ws.auth.tokens import Tokens
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

OPEN_TIMEOUT_S = HANG_S / 2
CLOSE_TIMEOUT_S = 0.3

HOST = b"Host: netra\r\n"
HEALTH = b"GET /ws/health HTTP/1.1\r\n" + HOST + b"\r\n"
GOOD_UPGRADE = "\r\n".join(UPGRADE).encode() + b"\r\n"
HELLO, ECHO = b"\x81\x82\0\0\0\0hi", b"\x81\x02hi"
CLOSE, CLOSED = b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x02\x03\xe8"


def head(request_line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([request_line, *fields, b"", b""])


def upgrade(old: bytes = b"", new: bytes = b"") -> bytes:
    return head(b"GET /ws/test HTTP/1.1")[:-2] + GOOD_UPGRADE.replace(old, new) + b"\r\n"


class Peer:
    """A server, and what strangers send to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        host, port = server.backend.removeprefix("http://").split(":")
        self.address = host, int(port)

    def dial(self) -> socket.socket:
        peer = socket.create_connection(self.address, timeout=HANG_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def exchange(self, *parts: bytes, half_close: bool = False) -> bytes:
        """Send each part by itself; return all that comes until the server has ended."""
        with self.dial() as peer:
            for part in parts:
                peer.sendall(part)
            if half_close:
                peer.shutdown(socket.SHUT_WR)
            return read_to_the_end(peer)

    def is_healthy(self) -> bool:
        return status_of(self.exchange(HEALTH)) == 200

    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.server.process.pid}/fd").iterdir())


def read_to_the_end(peer: socket.socket) -> bytes:
    received = b""
    while data := peer.recv(65536):
        received += data
    return received


def status_of(answer: bytes) -> int:
    """Return the status of an answer that is one HTTP response and nothing more."""
    line, _, rest = answer.partition(b"\r\n")
    fields, separator, body = rest.partition(b"\r\n\r\n")
    protocol, status, _ = line.split(b" ", 2)
    assert protocol == b"HTTP/1.1"
    assert separator
    assert b"\r\nServer:" not in fields
    assert f"\r\nContent-Length: {len(body)}".encode() in fields
    assert b"\r\nConnection: close" in fields
    for banner in (b"Python", b"websockets", b"aiohttp"):
        assert banner not in answer
    return int(status)


def running(folder: Path, **limits: float) -> Server:
    (folder / "settings.json").write_text(json.dumps(limits))
    arguments = ("--service", "backend", "--settings", "settings.json")
    env = {"NETRA_WS_SECRET": "s" * 32}
    return Server(*arguments, cwd=folder, log=folder / "log", env=env)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives up late."""
    folder = tmp_path_factory.mktemp("malformed")
    with running(folder, open_timeout_s=2 * HANG_S, close_timeout_s=2 * HANG_S) as server:
        yield server


@pytest.fixture
def peer(server: Server) -> Iterator[Peer]:
    """Afterwards the server answers as before, and has nothing to complain of but its limits."""
    yield from checked(server)


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("hasty"), close_timeout_s=CLOSE_TIMEOUT_S) as server:
        yield server


@pytest.fixture
def hasty(hasty_server: Server) -> Iterator[Peer]:
    """The same, with a server that does not wait for clients that stay."""
    yield from checked(hasty_server)


def checked(server: Server) -> Iterator[Peer]:
    peer = Peer(server)
    yield peer
    assert peer.is_healthy()
    said = {(line["level"], line["event"]) for line in server.log()} - {("info", "listening")}
    refused = {"limit exceeded", "token refused", "request refused"}
    assert said <= {("warning", event) for event in refused}
    assert "Traceback" not in server.stderr()


REQUESTS = {
    "two pipelined": (HEALTH * 2, 200),
    "fifty pipelined": (HEALTH * 50, 200),
    "bytes after a GET": (HEALTH + b"\0\xff trailing", 200),
    "a body with a length": (head(b"POST /ws/health HTTP/1.1", b"Content-Length: 2") + b"hi", 400),
    "a body of a megabyte": (
        head(b"POST /ws/health HTTP/1.1", b"Content-Length: 1000000") + b"x" * 1_000_000,
        400,
    ),
    "a chunked body": (
        head(b"POST /ws/health HTTP/1.1", b"Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n",
        400,
    ),
    "a body with both": (
        head(b"POST / HTTP/1.1", b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"hi",
        400,
    ),
    "a negative length": (head(b"GET /ws/health HTTP/1.1", b"Content-Length: -1"), 400),
    "a length that is none": (head(b"GET /ws/health HTTP/1.1", b"Content-Length: 0x0"), 400),
    "two lengths": (
        head(b"GET /ws/health HTTP/1.1", b"Content-Length: 0", b"Content-Length: 5") + b"hello",
        400,
    ),
    "a length of 0, twice": (
        head(b"GET /ws/health HTTP/1.1", b"Content-Length: 0", b"Content-Length: 0"),
        200,
    ),
    **{
        f"method {method}": (head(f"{method} /ws/health HTTP/1.1".encode()), 405)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "G" * 4000)
    },
    "method CONNECT": (head(b"CONNECT example.org:443 HTTP/1.1", b"Host: example.org:443"), 404),
    "a method without end": (b"G" * 20_000, 414),
    "HTTP/1.0": (head(b"GET /ws/health HTTP/1.0"), 200),
    "HTTP/0.9": (b"GET /ws/health\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
    "HTTP/1.2": (head(b"GET /ws/health HTTP/1.2"), 400),
    "absolute form": (head(b"GET http://netra/ws/health HTTP/1.1"), 200),
    "absolute form of another host": (
        head(b"GET HTTPS://Other:1/ws/health?x HTTP/1.1", HOST[:-2]),
        200,
    ),
    "absolute form of an IPv6 address": (head(b"GET http://[::1]:8/ws/health HTTP/1.1"), 200),
    "absolute form without a path": (head(b"GET http://netra HTTP/1.1"), 200),
    "absolute form of an upgrade": (upgrade(b"", b"").replace(b" /ws/test", b" http://x/ws"), 401),
    "absolute form without a host": (head(b"GET http:///ws/health HTTP/1.1"), 404),
    "absolute form with a user": (head(b"GET http://u:p@netra/ws/health HTTP/1.1"), 404),
    "absolute form of another scheme": (head(b"GET ftp://netra/ws/health HTTP/1.1"), 404),
    "two slashes": (head(b"GET //ws/health HTTP/1.1"), 404),
    "dot segments": (head(b"GET /ws/../ws/health HTTP/1.1"), 404),
    "asterisk form": (head(b"OPTIONS * HTTP/1.1"), 404),
    "no Host": (head(b"GET /ws/health HTTP/1.1"), 200),
    "a header of 100 kB": (head(b"GET /ws/health HTTP/1.1", b"X: " + b"x" * 100_000), 431),
    "ten thousand headers": (head(b"GET /ws/health HTTP/1.1", *[b"X: x"] * 10_000), 431),
    "a folded header": (head(b"GET /ws/health HTTP/1.1", b"X: a", b" b"), 400),
    "a header without colon": (head(b"GET /ws/health HTTP/1.1", b"X"), 400),
    "NUL in a header": (head(b"GET /ws/health HTTP/1.1", b"X: a\0b"), 400),
    "NUL in the path": (head(b"GET /ws/\0health HTTP/1.1"), 404),
    "a path not in ASCII": (head("GET /ws/é HTTP/1.1".encode()), 400),
    "control characters": (head(b"GET /ws/health\x1b[31m\x07?\x7f HTTP/1.1"), 404),
    "percent signs": (head(b"GET /ws/%68ealth%0d%0a%00?%ff=% HTTP/1.1"), 404),
    "percent signs that are not needed": (head(b"GET /%77s/%68e%61lth HTTP/1.1"), 200),
    "percent signs for a slash": (head(b"GET /ws%2Fhealth HTTP/1.1"), 404),
    "percent signs twice": (head(b"GET /ws/%2568ealth HTTP/1.1"), 404),
    "percent signs in a query": (head(b"GET /ws/health?%ff=%&%0d%0a HTTP/1.1"), 200),
    "two spaces": (head(b"GET  /ws/health HTTP/1.1"), 400),
    "a whole line of garbage": (b"garbage\r\n\r\n", 400),
    "an empty line first": (b"\r\n" + HEALTH, 200),
    "an empty line before an upgrade": (b"\r\n" + upgrade(b"Version: 13", b"Version: 9"), 400),
    "two empty lines first": (b"\r\n\r\n" + HEALTH, 400),
    "half an empty line first": (b"\r" + HEALTH, 405),
    "only empty lines": (b"\r\n" * 1000, 400),
    "a bad Sec-WebSocket-Key": (upgrade(b"Key: dGhl", b"Key: !"), 400),
    "a short Sec-WebSocket-Key": (upgrade(b"dGhlIHNhbXBsZSBub25jZQ==", b"eA=="), 400),
    "another Sec-WebSocket-Version": (upgrade(b"Version: 13", b"Version: 99"), 400),
    "Connection: close in an upgrade": (upgrade(b"Connection: Upgrade", b"Connection: close"), 426),
    "Upgrade to something else": (upgrade(b"Upgrade: websocket", b"Upgrade: h2c"), 426),
    "a bad upgrade and frames": (upgrade(b"Version: 13", b"Version: 9") + HELLO + CLOSE, 400),
    "an upgrade without a token": (head(b"GET /ws HTTP/1.1")[:-2] + GOOD_UPGRADE + b"\r\n", 401),
    "a HEAD with an upgrade": (upgrade(b"", b"").replace(b"GET", b"HEAD"), 426),
}


@pytest.mark.parametrize("half_close", [False, True], ids=["waits", "half-closes"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered(peer: Peer, name: str, half_close: bool) -> None:
    sent, status = REQUESTS[name]
    answer = peer.exchange(sent, half_close=half_close)
    if sent.startswith(b"HEAD"):
        assert answer.endswith(b"\r\n\r\n")
        answer += b"x" * int(answer.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert status_of(answer) == status


@pytest.mark.parametrize(
    "sent", [HEALTH.replace(b"\r", b""), bytes(range(256)), b"\n"], ids=["LF", "bytes", "one LF"]
)
@pytest.mark.parametrize("half_close", [False, True], ids=["waits", "half-closes"])
def test_what_is_not_http_ends_without_an_answer(peer: Peer, sent: bytes, half_close: bool) -> None:
    assert peer.exchange(sent, half_close=half_close) == b""


CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + b"\xab" * 192


HALVES = pytest.mark.parametrize(
    "sent", [b"", b"GET /ws", HEALTH[:-2], CLIENT_HELLO], ids=["nothing", "half", "-CRLF", "TLS"]
)


@HALVES
def test_half_a_request_ends_with_its_client(peer: Peer, sent: bytes) -> None:
    assert peer.exchange(sent, half_close=True) == b""


@HALVES
async def test_half_a_request_is_408_in_time(sent: bytes, clock: Clock) -> None:
    """Guards `Opening._late`."""
    limits = Settings(open_timeout_s=OPEN_TIMEOUT_S)
    async with Backend(ManagerRegistry(limits), Tokens("s" * 32, limits)) as backend:
        host, port = backend.url.removeprefix("http://").split(":")
        async with asyncio.timeout(HANG_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            for _ in range(2):  # it has read what came before, and the answer is still to come
                assert (await request(f"{backend.url}/ws/stats")).status == 200
            reading = asyncio.create_task(reader.read())
            clock.forward(OPEN_TIMEOUT_S)
            assert status_of(await reading) == 408
            writer.close()
            await writer.wait_closed()


def test_byte_by_byte_is_as_good_as_at_once(peer: Peer) -> None:
    parts = [bytes([byte]) for byte in b"\r\n" + HEALTH + b"and more"]
    assert status_of(peer.exchange(*parts)) == 200


def test_connecting_and_hanging_up_at_any_point_leaves_nothing(peer: Peer) -> None:
    for size in range(len(HEALTH) + 1):
        with peer.dial() as one:
            one.sendall(HEALTH[:size])


def test_frames_behind_the_upgrade_are_frames(peer: Peer) -> None:
    """However the packets are cut. Guards `Socket.begin`, which takes what was held back."""
    sent = upgrade() + HELLO
    for cut in range(len(upgrade()) - 4, len(sent) + 1):
        with peer.dial() as one:
            one.sendall(sent[:cut])
            one.sendall(sent[cut:])
            answer = b""
            while not answer.endswith(ECHO):
                data = one.recv(1024)
                assert data
                answer += data
            assert answer.startswith(b"HTTP/1.1 101 ")
            one.sendall(CLOSE)
            assert read_to_the_end(one) == CLOSED


@pytest.mark.parametrize("half_close", [False, True], ids=["waits", "half-closes"])
def test_a_close_behind_the_upgrade_is_answered(peer: Peer, half_close: bool) -> None:
    answer = peer.exchange(upgrade() + CLOSE, half_close=half_close)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\n" + CLOSED)


# What a refusal leaves behind

REFUSED = {
    name: REQUESTS[name][0]
    for name in ("a chunked body", "ten thousand headers", "two pipelined", "HTTP/0.9")
} | {"not HTTP": b"\n", "a body that goes on": REQUESTS["a body of a megabyte"][0]}


@pytest.mark.skipif(sys.platform != "linux", reason="counts the open files of another process")
def test_no_refusal_leaves_a_socket_behind(peer: Peer) -> None:
    peer.is_healthy()
    before = peer.open_files()
    for sent in REFUSED.values():
        for half_close in (False, True):
            peer.exchange(sent, half_close=half_close)
    by = time.monotonic() + HANG_S
    while peer.open_files() > before:
        assert time.monotonic() < by


@pytest.mark.parametrize("name", REFUSED)
def test_a_client_that_stays_after_its_answer_is_dropped(hasty: Peer, name: str) -> None:
    def go_on(one: socket.socket) -> None:
        by = time.monotonic() + HANG_S
        read_to_the_end(one)
        while time.monotonic() < by:
            one.sendall(b"x")

    with hasty.dial() as one:
        one.sendall(REFUSED[name])
        with pytest.raises(ConnectionError):
            go_on(one)


def test_an_answer_is_not_lost_to_what_the_client_still_sends(peer: Peer) -> None:
    """The client writes all of 8 MB before it reads: a reset would take the answer away."""
    body = b"x" * 8_000_000
    assert status_of(peer.exchange(HEALTH, body)) == 200
    declared = head(b"POST /ws/health HTTP/1.1", b"Content-Length: 8000000")
    assert status_of(peer.exchange(declared, body)) == 400


# While the answer is on its way


class LostLog(MemoryUserLog):
    """A log whose events arrive nowhere: the canary takes all of its time."""

    __slots__ = ()

    def append(self, encode: object) -> bytes:
        return b"lost"


class LosingEventLog(MemoryEventLog):
    def user(self, user_id: str) -> MemoryUserLog:
        return LostLog(self, 8, 1024)


@pytest.mark.parametrize("size", [1, 50, 5000], ids=["a request", "50", "more than is held"])
async def test_what_comes_while_the_canary_is_under_way_changes_nothing(
    size: int, clock: Clock
) -> None:
    limits = Settings(canary_timeout_s=HANG_S / 2)
    registry = ManagerRegistry(limits, event_log=LosingEventLog(limits))
    async with Backend(registry, Tokens("s" * 32, limits)) as backend:
        host, port = backend.url.removeprefix("http://").split(":")
        async with asyncio.timeout(HANG_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(HEALTH)
            assert (await request(f"{backend.url}/ws/stats")).status == 200  # the canary flies
            writer.write(HEALTH * size)
            assert (await request(f"{backend.url}/ws/stats")).status == 200
            clock.forward(HANG_S / 2)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
    assert status_of(answer) == 503


# Any bytes at all

WORDS = [
    *(b"GET", b"POST", b"HEAD", b" ", b"/ws", b"/ws/health", b"/ws/test", b"HTTP/1.1", b"HTTP/9"),
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"Host: x", b"Content-Length: ", b"7", b":", HEALTH),
    *(GOOD_UPGRADE, upgrade(), HELLO + CLOSE, b"Transfer-Encoding: chunked", b"\xff" * 70_000),
]
PACKETS = st.lists(
    st.lists(st.sampled_from(WORDS) | st.binary(max_size=20), max_size=12).map(b"".join),
    max_size=4,
)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(packets=PACKETS)
@example(packets=[upgrade(), b"\xff" * 100_000])
@example(packets=[HEALTH, b"\xff" * 100_000])
def test_any_bytes_end_in_an_answer_or_a_clean_end(peer: Peer, packets: list[bytes]) -> None:
    with peer.dial() as one:
        try:
            for packet in packets:
                one.sendall(packet)
            one.shutdown(socket.SHUT_WR)
            answer = read_to_the_end(one)
        except ConnectionError:
            answer = b""  # bytes behind the end of a conversation may be answered with a reset
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert peer.is_healthy()
