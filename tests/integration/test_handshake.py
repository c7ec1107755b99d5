"""Who may connect: tokens, origins and positions before the upgrade."""

from __future__ import annotations

import json

import pytest
from plain_client import UPGRADE
from tabs import Fetch, LogLines, OpenTab, ready
from websockets.typing import Subprotocol

from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings


async def test_no_token_is_401_before_the_upgrade(backend: Backend, fetch: Fetch) -> None:
    answer = await fetch(backend.url, "/ws", *UPGRADE)
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="netra-ws"'
    assert json.loads(answer.body)["detail"] == "expected a valid bearer token"


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer nonsense",
        "Authorization: Bearer \xff\xfe",
        "Authorization: Basic YW5uOnNlY3JldA==",
        "Sec-WebSocket-Protocol: netra.v1, bearer.nonsense",
        "Sec-WebSocket-Protocol: netra.v1, bearer.",
    ],
)
async def test_a_bad_token_is_401(backend: Backend, fetch: Fetch, header: str) -> None:
    assert (await fetch(backend.url, "/ws", *UPGRADE, header)).status == 401


async def test_a_token_in_the_address_is_no_token(
    backend: Backend, fetch: Fetch, tokens: Tokens
) -> None:
    path = f"/ws?token={tokens.issue('ann')}"
    assert (await fetch(backend.url, path, *UPGRADE)).status == 401


async def test_a_token_of_another_secret_is_401(backend: Backend, fetch: Fetch) -> None:
    token = Tokens("another secret, which is as long", Settings()).issue("ann")
    answer = await fetch(backend.url, "/ws", *UPGRADE, f"Authorization: Bearer {token}")
    assert answer.status == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", ""])
async def test_a_foreign_origin_is_403(
    backend: Backend, fetch: Fetch, tokens: Tokens, origin: str
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, f"Origin: {origin}")
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_doubled_token_is_401(backend: Backend, fetch: Fetch, tokens: Tokens) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, authorization)
    assert answer.status == 401


async def test_a_second_origin_is_403(backend: Backend, fetch: Fetch, tokens: Tokens) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    origins = (f"Origin: {backend.url}", "Origin: https://evil.example")
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, *origins)
    assert answer.status == 403


async def test_a_foreign_origin_without_a_token_is_401(backend: Backend, fetch: Fetch) -> None:
    answer = await fetch(backend.url, "/ws", *UPGRADE, "Origin: https://evil.example")
    assert answer.status == 401


async def test_the_own_origin_is_accepted(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend, origin=backend.url) as tab:
        await ready(tab)


async def test_a_token_may_come_as_a_subprotocol_and_is_not_echoed(
    backend: Backend, open_tab: OpenTab, tokens: Tokens
) -> None:
    offered = [Subprotocol(f"bearer.{tokens.issue('ann')}"), Subprotocol("netra.v1")]
    async with open_tab(backend, additional_headers={}, subprotocols=offered) as tab:
        await ready(tab)
        assert tab.response is not None
        assert tab.response.headers.get_all("Sec-WebSocket-Protocol") == ["netra.v1"]
        assert "bearer" not in str(tab.response.headers)


@pytest.mark.parametrize(
    "query", ["epoch=E", "seq=1", "epoch=&seq=", "epoch=E&seq=-1", "epoch=E&seq=x"]
)
async def test_half_a_position_is_400(
    backend: Backend, fetch: Fetch, tokens: Tokens, query: str
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, f"/ws?{query}", *UPGRADE, authorization)
    assert answer.status == 400
    assert "expected both epoch and a seq" in json.loads(answer.body)["detail"]


async def test_a_refused_token_is_logged_without_the_token(
    backend: Backend, fetch: Fetch, log_lines: LogLines
) -> None:
    await fetch(backend.url, "/ws", *UPGRADE, "Authorization: Bearer to.ken.secret")
    assert [line["event"] for line in log_lines] == ["token refused"]
    assert "secret" not in str(log_lines)
