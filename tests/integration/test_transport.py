"""The server's end of a socket, on real ones: what it adds to websockets."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flood import EVENT_BYTES, FLOOD, Flood, narrow
from frames import CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, frame, peer
from plain_client import UPGRADE
from polling import until
from tabs import (
    LIMIT_S,
    OpenTab,
    answers,
    close_of,
    ready,
    receive,
    receive_type,
    say,
    serving,
)
from websockets.datastructures import Headers

from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.serving.process import new_event_loop
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings
from netra_ws.wire.opening import MAX_HELD_BYTES
from netra_ws.wire.socket import FRAMES_A_TURN, Socket


def served(backend: Backend, user: str = "ann") -> Socket:
    """Return the server's end of the one connection of a user, with little room in the system."""
    (one,) = (one for one in backend._sockets if one.claims and one.claims.user_id == user)
    system = one.transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return one


def connection_of(backend: Backend, user: str = "ann") -> Any:
    (one,) = backend._registry._managers[user].connections
    return one


def log_of(backend: Backend, user: str = "ann") -> Any:
    return backend._registry._event_log.user(user)


def numbered(_epoch: str, seq: int) -> bytes:
    return b'{"seq":%d}' % seq


BURSTING = Settings(
    write_high_water_bytes=16 * 1024,
    retained_events=2 * FLOOD,
    retained_bytes=4 * FLOOD * EVENT_BYTES,
    close_timeout_s=0.2,
)


# Writing


class Counted:
    """A transport, and the sizes of what is written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.sizes: list[int] = []

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


def counting(socket_: Socket) -> list[int]:
    """Return the list of the sizes of all writes from now on."""
    counted = Counted(socket_.transport)
    socket_.transport = counted  # type: ignore[assignment]
    return counted.sizes


async def count_writes(socket_: Socket, act: Callable[[], object]) -> int:
    """Return how often the transport is written to because of `act`, in this turn and the next."""
    sizes = counting(socket_)
    act()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return len(sizes)


async def test_all_events_of_a_turn_are_one_write(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        log = log_of(backend)
        append = lambda: [log.append(numbered) for _ in range(100)]  # noqa: E731
        assert await count_writes(served(backend), append) == 1
        assert [await receive(tab) for _ in range(100)] == [
            f'{{"seq":{seq}}}' for seq in range(1, 101)
        ]


async def test_a_turn_longer_than_the_window_is_written_in_time(
    backend: Backend, open_tab: OpenTab
) -> None:
    """Guards `Cursor.half_behind`: a burst would push its own reader out."""
    async with open_tab(backend) as tab:
        await ready(tab)
        log = log_of(backend)
        append = lambda: [log.append(numbered) for _ in range(1000)]  # noqa: E731
        writes = await count_writes(served(backend), append)
        assert [await receive(tab) for _ in range(1000)][-1] == '{"seq":1000}'
    assert writes == 1000 // (Settings().retained_events // 2) + 1


async def test_nothing_is_written_once_the_end_is_decided(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        socket_, log = served(backend), log_of(backend)
        log.append(numbered)  # is written on the next turn, which is too late
        socket_.close(CloseCode.SERVICE_RESTART)
        assert not socket_.room
        log.append(numbered)
        await asyncio.sleep(0)
        log.append(numbered)
        assert await close_of(tab) == (CloseCode.SERVICE_RESTART, "", [])


async def test_the_first_reason_to_end_is_the_one_that_is_told(
    backend: Backend, open_tab: OpenTab, log_lines: list[dict[str, Any]]
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        socket_ = served(backend)
        socket_.cut("write_timeout_s", CloseCode.SLOW_CONSUMER, "first")
        socket_.cut("ping_timeout_s", CloseCode.INTERNAL_ERROR, "second")
        connection_of(backend).revoke()
        assert (await close_of(tab))[:2] == (CloseCode.SLOW_CONSUMER, "first")
    assert [line["limit"] for line in log_lines] == ["write_timeout_s"]


# Revocation


async def test_a_revocation_that_nothing_waits_before_closes_with_4502(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        connection_of(backend).revoke()
        assert await close_of(tab) == (CloseCode.TOKEN_REVOKED, "the token was revoked", [])


async def test_a_revocation_takes_what_is_unsent_with_it(tokens: Tokens, open_tab: OpenTab) -> None:
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    agent = Flood()
    async with (
        serving(tokens, BURSTING, agent=agent) as backend,
        peer(backend.url, bearer, takes_bytes=4096) as ann,
    ):
        await ann.receive()
        socket_ = served(backend)
        sizes = counting(socket_)
        ann.send(TEXT, b'{"type":"user_message","content":"flood"}')
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        unsent = socket_.transport.get_write_buffer_size()
        assert unsent > 0
        connection_of(backend).revoke()
        async with asyncio.timeout(LIMIT_S):
            received = 0
            try:
                while data := await ann.reader.read(1 << 16):
                    received += len(data)
            except ConnectionResetError:
                pass
        assert received <= sum(sizes) - unsent


# Bytes that come before the answer


async def test_frames_behind_the_request_wait_for_its_answer(
    backend: Backend, tokens: Tokens
) -> None:
    async with peer(backend.url, upgrade=False) as ann:
        bearer = f"Authorization: Bearer {tokens.issue('ann')}"
        head = "\r\n".join(["GET /ws HTTP/1.1", "Host: x", *UPGRADE, bearer, "", ""])
        ann.writer.write(head.encode() + frame(TEXT, b'{"type":"ping"}'))
        async with asyncio.timeout(LIMIT_S):
            assert (await ann.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert b"connection_ready" in (await ann.receive()).data
        assert b'"pong"' in (await ann.receive()).data
        ann.send(CLOSE, b"\x03\xe8")
        assert (await ann.receive()).opcode == CLOSE


class UnreadLog(MemoryUserLog):
    """A log that takes events and gives them to nobody."""

    __slots__ = ()

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        return encode(self.epoch, self.head + 1)


class Unread(MemoryEventLog):
    """An event log whose probes take all the time they have."""

    def user(self, user_id: str) -> MemoryUserLog:
        return UnreadLog(self, 8, 1024)


async def test_what_is_held_before_the_answer_is_bounded(tokens: Tokens) -> None:
    settings = Settings(canary_timeout_s=0.3, close_timeout_s=0.2)
    async with (
        serving(tokens, settings, event_log=Unread(settings)) as backend,
        peer(backend.url, upgrade=False) as ann,
    ):
        ann.writer.write(b"GET /ws/health HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(8 << 20))
        async with asyncio.timeout(LIMIT_S):
            await until(lambda: any(one._held for one in backend._pending), 0)
            (opening,) = (one for one in backend._pending if one._held)
            await until(lambda: not opening._transport.is_reading(), 0)
        held = opening._held
        assert MAX_HELD_BYTES < len(held) <= MAX_HELD_BYTES + 256 * 1024
        async with asyncio.timeout(LIMIT_S):
            assert (await ann.reader.readline()).startswith(b"HTTP/1.1 503 ")


# Reading


async def test_what_a_message_raises_closes_with_1011(
    backend: Backend,
    tokens: Tokens,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: list[dict[str, Any]],
) -> None:
    heard = []

    def fails(message: str) -> None:
        heard.append(message)
        raise ZeroDivisionError

    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        monkeypatch.setattr("netra_ws.connection.decode_client_message", fails)
        ann.writer.write(frame(TEXT, b"1") + frame(TEXT, b"2"))
        closed = await ann.receive()
        assert (closed.code, closed.data[2:]) == (CloseCode.INTERNAL_ERROR, b"")
        await goodbye(ann)
    assert heard == ["1"]
    assert [line["event"] for line in log_lines] == ["route failed"]


QUESTION = b'{"type":"user_message","content":"hello"}'


async def test_nothing_is_heard_once_the_end_is_decided(backend: Backend, tokens: Tokens) -> None:
    """Guards `Socket._deliver`."""
    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        socket_ = served(backend)
        socket_.close(CloseCode.TOKEN_EXPIRED)
        socket_.data_received(frame(TEXT, QUESTION))  # read in the same turn of the loop
        assert (await ann.receive()).code == CloseCode.TOKEN_EXPIRED
        await goodbye(ann)
    assert log_of(backend).head == 0


async def test_nothing_is_heard_after_a_close_frame(backend: Backend, tokens: Tokens) -> None:
    """The same, for what a client says before it has read that."""
    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        served(backend).close(CloseCode.TOKEN_EXPIRED)
        assert (await ann.receive()).code == CloseCode.TOKEN_EXPIRED
        ann.send(TEXT, QUESTION)
        await goodbye(ann)
    assert log_of(backend).head == 0


async def test_nothing_is_heard_behind_text_that_is_none(backend: Backend, tokens: Tokens) -> None:
    """RFC 6455 section 7.1.7: whoever fails a connection processes nothing more of it."""
    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        ann.writer.write(frame(TEXT, b"\xff") + frame(TEXT, QUESTION))
        assert (await ann.receive()).code == CloseCode.INVALID_DATA
        await goodbye(ann)
    assert log_of(backend).head == 0


async def goodbye(ann: Peer) -> None:
    """Answer a close frame, and wait for the end."""
    ann.send(CLOSE, b"\x03\xe8")
    async with asyncio.timeout(LIMIT_S):
        assert await ann.reader.read() == b""


async def test_a_client_is_read_on_once_its_reply_is_on_its_way(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with (
        serving(tokens, BURSTING, agent=(agent := Flood())) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        transport = served(backend).transport
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
            await tab.send('{"type":"ping"}')
            await until(lambda: not transport.is_reading(), 0)
        await receive_type(tab, "pong")
        assert await answers(tab)


# One client among others


FRAGMENTED = (
    frame(TEXT, b"{", fin=False) + frame(CONTINUATION, fin=False) * 4000 + frame(CONTINUATION, b"}")
)
ONE_READ_BYTES = 256 * 1024
"""What uvloop and asyncio read of a socket at once."""


async def most_of_a_turn(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many frames of one client are taken in a turn, though more wait."""
    taken = frames = 0
    feed = Socket._feed

    def counted(self: Socket, data: bytes, start: int) -> int:
        nonlocal taken, frames
        end = feed(self, data, start)
        taken, frames = taken + end - start, frames + 1
        return end

    monkeypatch.setattr(Socket, "_feed", counted)
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    async with serving(tokens) as backend, peer(backend.url, bearer) as ann:
        await ann.receive()
        transport = served(backend).transport
        system = transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * ONE_READ_BYTES)
        transport.pause_reading()
        with ann.writer.get_extra_info("socket").dup() as client:
            waiting = fill(client, FRAGMENTED, 3 * ONE_READ_BYTES)
        assert waiting > 2 * ONE_READ_BYTES
        transport.resume_reading()
        turns: list[int] = []
        async with asyncio.timeout(LIMIT_S):
            while taken < waiting:
                before = frames
                await asyncio.sleep(0)
                turns.append(frames - before)
    return max(turns)


def fill(client: socket.socket, data: bytes, enough: int) -> int:
    """Send until the system takes no more, or has enough; return how many bytes it took."""
    sent = 0
    try:
        while sent < enough:
            sent += client.send(data[sent % len(data) :])
    except BlockingIOError:
        pass
    return sent


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_event_loop])
def test_a_client_of_whom_much_waits_is_read_a_little_a_turn(
    tokens: Tokens,
    monkeypatch: pytest.MonkeyPatch,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """uvloop would read until nothing is left, and nobody else would have a turn meanwhile.

    One read of 256 KiB is 43,000 frames. In one turn, uvloop calls what is due and reads.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        most = runner.run(most_of_a_turn(tokens, monkeypatch))
    assert 0 < most <= 2 * FRAMES_A_TURN


async def test_what_a_turn_does_not_take_is_heard_before_the_end(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the stream is there when most frames still wait for their turn."""
    serve = Backend._serve

    async def late(self: Backend, opening: Any, request: Any) -> None:
        await until(lambda: opening._has_ended, 0)
        await serve(self, opening, request)

    monkeypatch.setattr(Backend, "_serve", late)
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    async with serving(tokens) as backend, asyncio.timeout(LIMIT_S):
        host, port = backend.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request("GET /ws HTTP/1.1", *UPGRADE, bearer) + FRAGMENTED + BYE)
        writer.write_eof()
        said = await reader.read()
        writer.close()
    assert said.count(b'"type":"error"') == 1
    assert said.endswith(b"\x88\x02\x03\xe8")


# What is left of a handshake, and of a connection


async def test_nothing_is_kept_of_the_headers_of_a_handshake(
    backend: Backend, tokens: Tokens
) -> None:
    """They are 4 KiB of an idle connection, and the token is one of them."""
    token = tokens.issue("ann")
    async with peer(backend.url, f"Authorization: Bearer {token}") as ann:
        await ann.receive()
        kept = [one for one in gc.get_objects() if type(one) is Headers]
        assert [one for one in kept if token in one.get("Authorization", "")] == []


def request(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


NO_TOKEN = request("GET /ws HTTP/1.1", *UPGRADE)
ENDS: dict[str, tuple[bytes, bytes | None]] = {
    "closes": (NO_TOKEN, frame(CLOSE, b"\x03\xe8")),
    "says no close": (NO_TOKEN, b""),
    "stops in a frame": (NO_TOKEN, frame(TEXT, b"hello")[:4]),
    "breaks the protocol": (NO_TOKEN, b"\xf1\x80\0\0\0\0"),
    "says what is not UTF-8": (NO_TOKEN, frame(TEXT, b"\xff")),
    "says too much": (NO_TOKEN, frame(TEXT, bytes(70_000))),
    "asks for health": (request("GET /ws/health HTTP/1.1"), None),
    "asks for nothing here": (request("GET /no HTTP/1.1"), None),
    "brings no token": (NO_TOKEN, None),
    "speaks an old version": (NO_TOKEN.replace(b"13", b"12"), None),
    "sends what is not HTTP": (b"\r\n\r\n", None),
    "sends half a request": (b"GET /", None),
}
"""How a connection begins, with a token if it may come in, and what is said then."""


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_event_loop])
@pytest.mark.parametrize(("begins", "says"), ENDS.values(), ids=list(ENDS))
def test_a_connection_that_has_ended_leaves_no_garbage(
    tokens: Tokens,
    begins: bytes,
    says: bytes | None,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """`GARBAGE_THRESHOLD` is so high that thousands would wait for the collector.

    What a transport of asyncio leaves of itself is not counted: uvloop leaves nothing.
    """
    bearer = f"Authorization: Bearer {tokens.issue('ann')}\r\n".encode()
    if says is not None or b"12" in begins:
        begins = begins[:-2] + bearer + b"\r\n"

    async def come_and_go() -> list[str]:
        async with serving(tokens) as backend:
            host, port = backend.url.removeprefix("http://").split(":")
            gc.freeze()  # what was there before is not looked at
            with socket.create_connection((host, int(port))) as client:
                client.sendall(begins)
                await until(lambda: backend._sockets if says is not None else backend._port, 0)
                client.sendall(says or b"")
                client.shutdown(socket.SHUT_WR)
                await until(lambda: not backend._port, 0)
            await asyncio.sleep(0)  # the loop lets go of what it has called
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            return [f"{type(one).__module__}.{type(one).__name__}" for one in gc.garbage]

    gc.disable()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            kinds = runner.run(come_and_go())
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
    of_asyncio = "asyncio.selector_events._SelectorSocketTransport" in kinds
    assert [kind for kind in kinds if kind.startswith(("netra_ws", "websockets"))] == []
    assert len(kinds) <= 8 * of_asyncio, kinds


BYE = frame(CLOSE, b"\x03\xe8")
PONG_FIRST = frame(PING, b"p")
HALVES = frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"y")
STREAMS: dict[str, tuple[bytes, list[tuple[int, bytes]]]] = {
    "a text and a close": (frame(TEXT, b"A") + BYE, [(TEXT, b"A"), (CLOSE, b"\x03\xe8")]),
    "a ping, a text and a close": (
        PONG_FIRST + frame(TEXT, b"A") + BYE,
        [(PONG, b"p"), (TEXT, b"A"), (CLOSE, b"\x03\xe8")],
    ),
    "halves and a close": (HALVES + BYE, [(TEXT, b"xy"), (CLOSE, b"\x03\xe8")]),
    "halves and a ping": (HALVES + PONG_FIRST + BYE, [(TEXT, b"xy"), (PONG, b"p")]),
    "a text and a frame without a mask": (
        frame(TEXT, b"A") + b"\x81\x01z",
        [(TEXT, b"A"), (CLOSE, b"\x03\xea")],
    ),
    "bytes that are not UTF-8 and a close": (frame(TEXT, b"\xff") + BYE, [(CLOSE, b"\x03\xef")]),
    "a length that could be shorter": (b"\x81\xfe\x00\x01" + bytes(5), [(CLOSE, b"\x03\xea")]),
}


NEVER = -1.0


def _has_heard(server: Socket) -> bool:
    return server.last_heard != NEVER or server.ending


@pytest.mark.parametrize(("said", "heard"), STREAMS.values(), ids=list(STREAMS))
async def test_however_bytes_are_cut_the_same_is_heard(
    tokens: Tokens, said: bytes, heard: list[tuple[int, bytes]]
) -> None:
    """What comes before a close or a fault is heard, in order, and the close says the same."""
    async with serving(tokens, echo=True) as backend:
        for cut in range(len(said)):
            async with peer(backend.url, path="/ws/test") as ann:
                (server,) = backend._sockets
                for piece in filter(None, (said[:cut], said[cut:])):
                    server.last_heard = NEVER  # of the loop's clock two readings can be equal
                    ann.writer.write(piece)
                    await until(partial(_has_heard, server), 0)
                for opcode, data in heard:
                    received = await ann.receive()
                    shown = received.data[:2] if received.opcode == CLOSE else received.data
                    assert (received.opcode, shown) == (opcode, data), f"cut at byte {cut}"
            await until(lambda: not backend._port, 0)
