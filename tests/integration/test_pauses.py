"""What a client sends within its rate is no offence because the server reads it late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from clock import Clock
from frames import CLOSE, PING, PONG, TEXT, Peer, peer
from polling import until
from tabs import serving

from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

AWAY_S = 500
CAPACITY = 4
SETTINGS = Settings(
    max_messages_per_s=0.1,
    max_pings_per_s=0.1,
    rate_window_s=10 * CAPACITY,
    ping_interval_s=100 * AWAY_S,
    close_timeout_s=0.1,
)
ALLOWED = AWAY_S // 10

Send = Callable[[Peer], object]
KINDS: dict[str, tuple[Send, int]] = {
    "messages": (lambda ann: ann.send(TEXT, b'{"type":"ping"}'), TEXT),
    "pings": (lambda ann: ann.send(PING), PONG),
}


@pytest.fixture
async def backend(tokens: Tokens) -> AsyncIterator[Backend]:
    """A backend that has looked whether it is there."""
    async with serving(tokens, SETTINGS) as backend:
        await until(lambda: backend._port.absence._seen_at < float("inf"))
        yield backend


@pytest.mark.parametrize(("send", "answer"), KINDS.values(), ids=list(KINDS))
async def test_a_backlog_within_the_rate_is_heard_once(
    backend: Backend, tokens: Tokens, clock: Clock, send: Send, answer: int
) -> None:
    """And more than that is cut, as without a pause."""
    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        clock.forward(AWAY_S)
        for _ in range(CAPACITY + ALLOWED):
            send(ann)
        for _ in range(CAPACITY + ALLOWED):
            assert (await ann.receive()).opcode == answer
        for _ in range(CAPACITY):
            send(ann)
        assert (await ann.receive_type(CLOSE)).code == 4004


@pytest.mark.parametrize(("send", "_answer"), KINDS.values(), ids=list(KINDS))
async def test_a_flood_after_a_pause_is_one(
    backend: Backend, tokens: Tokens, clock: Clock, send: Send, _answer: int
) -> None:
    async with peer(backend.url, f"Authorization: Bearer {tokens.issue('ann')}") as ann:
        await ann.receive()
        clock.forward(AWAY_S)
        for _ in range(2 * CAPACITY + ALLOWED):
            send(ann)
        assert (await ann.receive_type(CLOSE)).code == 4004
