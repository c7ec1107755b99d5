"""The server's end of a socket, on real ones: what it takes from websockets, and what it adds."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable
from typing import Any

import pytest
from flood import EVENT_BYTES, FLOOD, Flood, narrow
from frames import CLOSE, TEXT, frame, peer
from tabs import LIMIT_S, UPGRADE, OpenTab, close_of, ready, receive, say, serving
from websockets.asyncio.server import ServerConnection
from websockets.server import ServerProtocol

from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.opening import MAX_HELD_BYTES, OpeningSocket
from netra_ws.server import Backend
from netra_ws.settings import Settings
from netra_ws.transport import Socket

OVERRIDDEN = {
    "close": ["code", "reason"],
    "connection_lost": ["exc"],
    "connection_made": ["transport"],
    "data_received": ["data"],
    "eof_received": [],
    "pause_writing": [],
    "process_event": ["event"],
    "resume_writing": [],
    "send_data": [],
}
"""What `Socket` overrides, with the parameters that websockets calls it with."""

PROTOCOL = {
    "close_rcvd",
    "close_rcvd_then_sent",
    "close_sent",
    "eof_sent",
    "handshake_exc",
}
PROTOCOL_METHODS = {"data_to_send": [], "send_ping": ["data"], "send_text": ["data", "fin"]}


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


def served(backend: Backend, user: str = "ann") -> Socket:
    """Return the server's end of the one connection of a user, with little room in the system."""
    (one,) = (one for one in backend._sockets if one.claims and one.claims.user_id == user)
    system = one.transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
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


# What it takes from websockets


def test_websockets_has_what_is_used_of_it() -> None:
    own = {name for name in vars(Socket) | vars(OpeningSocket) if not name.startswith("__")}
    assert {name for name in own if hasattr(ServerConnection, name)} == set(OVERRIDDEN)
    for name, expected in OVERRIDDEN.items():
        assert parameters(getattr(ServerConnection, name)) == expected
        assert parameters(getattr(Socket, name)) == expected
    for name, expected in PROTOCOL_METHODS.items():
        assert parameters(getattr(ServerProtocol, name)) == expected
    assert vars(ServerProtocol()).keys() >= PROTOCOL


async def test_websockets_calls_what_is_overridden(
    tokens: Tokens, open_tab: OpenTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = set()

    def noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Socket, *arguments: Any) -> Any:
            called.add(name)
            return method(self, *arguments)

        return call

    for name in OVERRIDDEN:
        monkeypatch.setattr(Socket, name, noted(name, getattr(Socket, name)))
    async with serving(tokens, BURSTING, agent=Flood(20)) as backend:
        async with open_tab(backend, **narrow(backend)) as tab:
            await ready(tab)
            socket_ = served(backend)
            await say(tab, "flood")
            async with asyncio.timeout(LIMIT_S):
                while "agent_completed" not in await tab.recv(decode=True):
                    called |= {"paused"} if socket_.paused else set()
            assert not socket_.paused
        async with open_tab(backend) as tab:
            await ready(tab)
            tab.transport.write_eof()
            await tab.wait_closed()
    assert called == {*OVERRIDDEN, "paused"}


# Writing


async def count_writes(socket_: Socket, act: Callable[[], object]) -> int:
    """Return how often the transport is written to because of `act`, in this turn and the next."""
    writes = 0
    write = socket_.transport.write

    def counted(data: bytes) -> None:
        nonlocal writes
        writes += 1
        write(data)

    socket_.transport.write = counted  # type: ignore[method-assign]
    act()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    socket_.transport.write = write  # type: ignore[method-assign]
    return writes


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
        socket_.finish(CloseCode.SERVICE_RESTART)
        assert not socket_.writable
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
        socket_.revoke()
        assert (await close_of(tab))[:2] == (CloseCode.SLOW_CONSUMER, "first")
    assert [line["limit"] for line in log_lines] == ["write_timeout_s"]


# Revocation


async def test_a_revocation_that_nothing_waits_before_closes_with_4502(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        served(backend).revoke()
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
        taken = 0
        write = socket_.transport.write

        def counted(data: bytes) -> None:
            nonlocal taken
            taken += len(data)
            write(data)

        socket_.transport.write = counted  # type: ignore[method-assign]
        ann.send(TEXT, b'{"type":"user_message","content":"flood"}')
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        unsent = socket_.transport.get_write_buffer_size()
        assert unsent > 0
        socket_.revoke()
        async with asyncio.timeout(LIMIT_S):
            received = 0
            try:
                while data := await ann.reader.read(1 << 16):
                    received += len(data)
            except ConnectionResetError:
                pass
        assert received <= taken - unsent


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
            while not (sockets := [one for one in backend._sockets if one._held]):  # noqa: ASYNC110
                await asyncio.sleep(0)
            (socket_,) = sockets
            while socket_.transport.is_reading():  # noqa: ASYNC110
                await asyncio.sleep(0)
        held = socket_._held
        assert held is not None
        assert MAX_HELD_BYTES < len(held) <= MAX_HELD_BYTES + 256 * 1024
        async with asyncio.timeout(LIMIT_S):
            assert (await ann.reader.readline()).startswith(b"HTTP/1.1 503 ")
