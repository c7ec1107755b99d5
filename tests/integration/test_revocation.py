"""After the answer to a revocation nothing of the server's follows on what the token opened."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from frames import PING, frame
from limits import HANG_S
from polling import until
from raw_peer import (
    LEAST_BUFFER,
    connect,
    kernel_has,
    read_to_the_end,
    revocation,
    upgraded,
)
from tabs import serving

from netra_ws.auth.tokens import Tokens
from netra_ws.context import Claims
from netra_ws.settings import Settings
from netra_ws.wire.opening import Opening

REASON = b"the token was revoked"
CLOSE_4502 = bytes([0x88, 2 + len(REASON)]) + (4502).to_bytes(2) + REASON
SETTINGS = Settings(close_timeout_s=0.2, retained_events=1000, retained_bytes=1 << 24)
EVENT = b'{"type":"agent_thinking","seq":%d,"payload":"' + 1000 * b"x" + b'"}'


@pytest.mark.skipif(sys.platform != "linux", reason="reads the queues of the kernel")
@pytest.mark.parametrize("events", [20, 500], ids=["all is taken", "more than is taken"])
async def test_what_is_written_in_the_turn_of_a_revocation_comes_before_its_answer(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    """Nor does a pong follow; whoever is sent all that was written learns the reason."""
    taken: list[int] = []
    received: list[bytes] = []
    end_with, revoke = Opening.end_with, Tokens.revoke

    def write_and_revoke(self: Tokens, token: str) -> Claims:
        for _ in range(events):
            log.append(lambda _, seq: EVENT % seq)
        for connection in backend._registry._managers["ann"].connections:
            connection.drained()  # so it writes now, and not in a turn of its own
        return revoke(self, token)

    def take_and_end(self: Opening, status: int, answer: bytes) -> None:
        taken.append(kernel_has(reader))
        received.append(reader.recv(1 << 20))  # there is room again, for a turn before the end
        end_with(self, status, answer)

    token = tokens.issue("ann")
    async with serving(tokens, SETTINGS) as backend:
        log: Any = backend._registry._event_log.user("ann")
        monkeypatch.setattr(Tokens, "revoke", write_and_revoke)
        monkeypatch.setattr(Opening, "end_with", take_and_end)
        upgrading = partial(upgraded, backend.url, token, receive_buffer=LEAST_BUFFER)
        with (
            closing(await asyncio.to_thread(upgrading)) as reader,
            closing(connect(backend.url)) as revoker,
        ):
            await until(lambda: backend._sockets)
            if events > 100:
                (one,) = backend._sockets
                system = one.transport.get_extra_info("socket")
                system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LEAST_BUFFER)
            revoker.sendall(revocation(token))
            answer = await asyncio.to_thread(read_to_the_end, revoker)
            if events < 100:  # what is unread would reset the connection
                reader.sendall(frame(PING))
            received.append(await asyncio.to_thread(read_to_the_end, reader))
        assert answer.startswith(b"HTTP/1.1 200 ")
        all_received = b"".join(received)
        assert len(all_received) <= taken[0]
        assert b"agent_thinking" in all_received
        assert all_received.endswith(CLOSE_4502) == (events < 100)
        async with asyncio.timeout(HANG_S):
            await backend._port.wait_empty()
