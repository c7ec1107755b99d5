"""A process that is paused for longer than its limits: SIGSTOP, a laptop's lid, a machine moved."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from frames import CLOSE, PING, PONG, TEXT, Peer, frame, peer
from measuring import Measured
from neighbour import FREE, ROOM
from offender import Offence, bearer, user_message
from plain_client import UPGRADE
from processes import Server
from scripted_server import metric, mint, scripted_server

LIMIT_S = 3.0
"""Of each limit: what must be on its way before the pause has so long."""

PAUSE_S = LIMIT_S + 0.5
LIMITS = {
    "ping_interval_s": 0.3,
    "ping_timeout_s": LIMIT_S,
    "write_timeout_s": LIMIT_S,
    "open_timeout_s": LIMIT_S,
    "close_timeout_s": LIMIT_S,
    "token_leeway_s": 0,
}
EVENTS, EVENT_CHARACTERS = 60, 100_000


@asynccontextmanager
async def paused(server: Server) -> AsyncIterator[None]:
    """Pause the server; go on `PAUSE_S` later, when what the block does has been done."""
    server.process.send_signal(signal.SIGSTOP)
    ends = time.monotonic() + PAUSE_S
    try:
        yield
        await asyncio.sleep(ends - time.monotonic())
    finally:
        server.process.send_signal(signal.SIGCONT)


async def asked_to_pong(stack: AsyncExitStack, server: Server, people: int) -> list[Peer]:
    """Return clients who owe the server the answer to a ping."""
    opening = (peer(server.backend, bearer(f"idle-{number}")) for number in range(people))
    peers = [await stack.enter_async_context(one) for one in opening]
    for one in peers:
        await one.receive_type(PING)
    return peers


async def stalled(stack: AsyncExitStack, server: Server) -> tuple[Peer, Offence]:
    """Return a client who does not read, and for whom more waits than the system takes."""
    offence = Offence("stalled")
    ann = await stack.enter_async_context(peer(server.backend, bearer(offence.user)))
    await offence.until(ann, "connection_ready")
    ann.send(TEXT, user_message(["flood", EVENTS, EVENT_CHARACTERS]))
    return ann, offence


async def half_asked(stack: AsyncExitStack, url: str, request: str) -> Peer:
    """Return a client in the midst of a request."""
    ann = await stack.enter_async_context(peer(url, upgrade=False))
    ann.writer.write(request.encode())
    return ann


async def status(ann: Peer) -> int:
    return int((await ann.reader.readline()).split()[1])


async def goes_on(ann: Peer) -> bool:
    """Return whether the server still answers."""
    ann.send(TEXT, b'{"type":"ping"}')
    while (received := await ann.receive()).opcode != CLOSE:
        if b'"pong"' in received.data:
            return True
    return False


@pytest.mark.fault(
    "the process is paused for longer than its limits",
    promise="what peers did meanwhile is read before they are judged: none is cut",
)
async def test_what_peers_did_in_a_pause_counts(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    people, pauses = (200, 5) if soak else (5, 1)
    went_on = 0
    for _ in range(pauses):
        with scripted_server(tmp_path, service=None, **LIMITS, **ROOM, **FREE) as server:
            (user,) = server.announcement["demo_users"]
            login = json.dumps(user)
            head = f"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {len(login)}\r\n\r\n"
            asked = ["GET /ws HTTP/1.1", *UPGRADE, bearer("opens"), "", ""]
            handshake = "\r\n".join(asked)
            async with AsyncExitStack() as stack:
                ann, offence = await stalled(stack, server)
                expires = f"Authorization: Bearer {mint('renews', exp=time.time() + LIMIT_S)}"
                renews = await stack.enter_async_context(peer(server.backend, expires))
                opens = await half_asked(stack, server.backend, handshake[:30])
                logs_in = await half_asked(stack, server.auth, head + login[:10])
                closes = await stack.enter_async_context(peer(server.backend, bearer("closes")))
                idle = await asked_to_pong(stack, server, people)
                closes.writer.write(frame(TEXT, rsv1=True))
                end = await closes.receive_type(CLOSE)
                async with paused(server):
                    for one in (*idle, renews, ann):
                        one.send(PONG)
                    closes.send(CLOSE, end.data)
                    renewal = {"type": "renew_token", "token": mint("renews")}
                    renews.send(TEXT, json.dumps(renewal).encode())
                    opens.writer.write(handshake[30:].encode())
                    logs_in.writer.write(login[10:].encode())
                    reading = asyncio.create_task(offence.until(ann, "agent_completed"))
                went_on += sum([await goes_on(one) for one in (*idle, renews)])
                assert (await status(opens), await status(logs_in)) == (101, 200)
                await reading
                assert await closes.reader.read() == b""
            for limit in (name for name in LIMITS if "timeout" in name):
                assert not await metric(server, "limit_exceeded_total", limit=limit), limit
            assert "Traceback" not in server.stderr()
    assert went_on == (people + 1) * pauses
    measured(
        "{pauses} pauses of {pause_s:g} s where every limit is {limit_s:g} s: {went_on} of "
        "{went_on} clients went on, whose pong or new token came meanwhile; so did whoever was in "
        "the midst of a handshake or a login, or had {mib:.0f} MiB to read",
        pauses=pauses,
        pause_s=PAUSE_S,
        limit_s=LIMIT_S,
        went_on=went_on,
        mib=EVENTS * EVENT_CHARACTERS / (1 << 20),
    )
