"""One connection more than a user may have: who is silent makes room, or it comes back later."""

from __future__ import annotations

import asyncio
import json
from asyncio import IncompleteReadError
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from fixtures import Recorder
from frames import CLOSE, PING, PONG, TEXT, Peer, peer
from plain_client import raw_request
from polling import until
from tabs import LIMIT_S, OpenTab, answers, close_of, ready, receive, serving

from netra_ws import connections
from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

SHORT_S = 0.3
LIMIT = "max_connections_per_user"
FULL = (4005, "too many connections", [])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for long, except where a test says so."""
    monkeypatch.setattr(connections, "MAKE_ROOM_S", SHORT_S)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    """Let whoever waits do so until something else happens."""
    monkeypatch.setattr(connections, "MAKE_ROOM_S", LIMIT_S)


@pytest.fixture
def bearer(tokens: Tokens) -> Callable[[], str]:
    """A function that returns the header of Ann's token."""
    return lambda: f"Authorization: Bearer {tokens.issue('ann')}"


def settings(limit: int = 2) -> Settings:
    return Settings(max_connections_per_user=limit, close_timeout_s=0.2)


async def silent(stack: AsyncExitStack, backend: Backend, *headers: str) -> Peer:
    """Return a client who has been let in and says nothing more."""
    one = await stack.enter_async_context(peer(backend.url, *headers))
    assert b"connection_ready" in (await one.receive()).data
    return one


async def end_of(one: Peer) -> tuple[int, bytes]:
    """Return how a connection ends, whatever came before."""
    end = await one.receive_type(CLOSE)
    return end.code, end.data[2:]


def of_ann(backend: Backend) -> Any:
    return backend._registry._managers["ann"].connections


def waiting(backend: Backend) -> int:
    return len(of_ann(backend)._waiting)


async def nobody_is_left(backend: Backend) -> None:
    await until(lambda: not backend._port and waiting(backend) == 0)
    assert (len(of_ann(backend)), of_ann(backend)._verdict) == (0, None)


async def test_who_has_been_silent_for_longest_makes_room(
    tokens: Tokens, open_tab: OpenTab, bearer: Callable[[], str], recorder: Recorder
) -> None:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(4)))
        first, second, third = [await silent(stack, backend, bearer()) for _ in range(3)]
        tab = await stack.enter_async_context(open_tab(backend))  # it answers pings
        await ready(tab)
        first.send(TEXT, b'{"type":"ping"}')
        await first.receive_type(TEXT)  # so the second has been silent for longest
        for heir, (ending, next_one) in zip("xy", [(second, third), (first, third)], strict=True):
            newcomer = await stack.enter_async_context(open_tab(backend))
            await ready(newcomer)
            code, reason = await end_of(ending)
            assert (code, b"no byte for" in reason) == (4005, True), heir
            assert await answers(newcomer)
            assert await answers(tab)
            next_one.send(PONG)
        lines = [line for line in recorder.lines if line["event"] == "limit exceeded"]
        assert [(line["limit"], line["code"]) for line in lines] == [(LIMIT, 4005)] * 2


async def test_where_all_answer_the_new_one_is_closed_with_4005(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with serving(tokens, settings()) as backend:
        async with open_tab(backend) as first, open_tab(backend) as second:
            for tab in (first, second):
                await ready(tab)
            async with open_tab(backend) as newcomer:
                assert await close_of(newcomer) == FULL
            for tab in (first, second):
                assert await answers(tab)
        await nobody_is_left(backend)


async def test_of_several_at_once_as_many_come_in_as_there_is_room_for(
    tokens: Tokens, open_tab: OpenTab, bearer: Callable[[], str]
) -> None:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(3)))
        for _ in range(2):
            await silent(stack, backend, bearer())
        alive = await stack.enter_async_context(open_tab(backend))
        await ready(alive)
        opening = [open_tab(backend) for _ in range(3)]
        newcomers = await asyncio.gather(*map(stack.enter_async_context, opening))
        ends = await asyncio.gather(*map(receive, newcomers), return_exceptions=True)
        let_in = ["connection_ready" in str(end) for end in ends]
        assert sorted(let_in) == [False, True, True]
        assert (await close_of(newcomers[let_in.index(False)]))[0] == 4005
        assert await answers(alive)
        assert len(of_ann(backend)) == 3


@pytest.mark.usefixtures("patient")
async def test_whoever_leaves_makes_room_at_once(
    tokens: Tokens, open_tab: OpenTab, bearer: Callable[[], str]
) -> None:
    """What the new one has said meanwhile is answered then."""
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(1)))
        first = await stack.enter_async_context(open_tab(backend))
        await ready(first)
        newcomer = await stack.enter_async_context(peer(backend.url, bearer()))
        newcomer.send(TEXT, b'{"type":"nonsense"}').send(TEXT, b'{"type":"ping"}')
        await until(lambda: waiting(backend) == 1)
        await first.close()
        said = [json.loads((await newcomer.receive()).data)["type"] for _ in range(3)]
        assert said == ["connection_ready", "error", "pong"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("how", ["close", "eof", "reset"])
async def test_for_one_that_has_gone_nobody_makes_room(
    tokens: Tokens, bearer: Callable[[], str], how: str
) -> None:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(1)))
        first = await silent(stack, backend, bearer())
        async with peer(backend.url, bearer()) as newcomer:
            await first.receive_type(PING)
            assert waiting(backend) == 1
            if how == "close":
                newcomer.send(CLOSE, (1000).to_bytes(2))
                assert (await newcomer.receive_type(CLOSE)).code == 1000
            elif how == "eof":
                newcomer.writer.write_eof()
                with suppress(IncompleteReadError):
                    await newcomer.receive_type(CLOSE)
        await until(lambda: waiting(backend) == 0)
        assert of_ann(backend)._verdict is None
        first.send(TEXT, b'{"type":"ping"}')
        assert b"pong" in (await first.receive_type(TEXT)).data


@pytest.mark.usefixtures("patient")
async def test_no_more_wait_than_may_connect(tokens: Tokens, bearer: Callable[[], str]) -> None:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(2)))
        for _ in range(2):
            await silent(stack, backend, bearer())
        for _ in range(2):
            await stack.enter_async_context(peer(backend.url, bearer()))
        await until(lambda: waiting(backend) == 2)
        async with peer(backend.url, bearer()) as newcomer:
            assert await end_of(newcomer) == (4005, b"too many connections")
        assert waiting(backend) == 2


@pytest.mark.usefixtures("patient")
async def test_a_revocation_ends_one_that_waits(tokens: Tokens, bearer: Callable[[], str]) -> None:
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving(tokens, settings(1)))
        first = await silent(stack, backend, bearer())
        token = tokens.issue("ann")
        header = f"Authorization: Bearer {token}"
        newcomer = await stack.enter_async_context(peer(backend.url, header))
        await first.receive_type(PING)
        assert (await raw_request(backend.url, "POST /ws/revoke HTTP/1.1", header))[0] == 200
        assert await end_of(newcomer) == (4502, b"the token was revoked")
        await until(lambda: waiting(backend) == 0)


@pytest.mark.usefixtures("patient")
async def test_a_stop_ends_one_that_waits_with_1012(
    tokens: Tokens, bearer: Callable[[], str]
) -> None:
    async with AsyncExitStack() as stack:
        async with serving(tokens, settings(1)) as backend:
            first = await silent(stack, backend, bearer())
            newcomer = await stack.enter_async_context(peer(backend.url, bearer()))
            await first.receive_type(PING)
        assert (await newcomer.receive_type(CLOSE)).code == 1012
        await nobody_is_left(backend)
    assert asyncio.all_tasks() == {asyncio.current_task()}
