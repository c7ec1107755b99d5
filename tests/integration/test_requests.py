"""What the backend answers to plain HTTP requests, and when one of its routes fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import msgspec
import pytest
from plain_client import UPGRADE
from tabs import LIMIT_S, Fetch, LogLines, OpenTab, chat, close_of, ready, serving
from websockets.asyncio.client import connect

from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.events import EVENT_TYPES
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

# Plain requests

ENDPOINTS = {
    "/": "text/html",
    "/ws/health": "application/json",
    "/ws/config": "application/json",
    "/ws/stats": "application/json",
    "/metrics": "text/plain",
}
EVERY_ENDPOINT = pytest.mark.parametrize(("path", "content_type"), ENDPOINTS.items())


@EVERY_ENDPOINT
async def test_a_get_is_answered(
    backend: Backend, fetch: Fetch, path: str, content_type: str
) -> None:
    answer = await fetch(backend.url, path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert int(answer.headers["content-length"]) == len(answer.body) > 0


@EVERY_ENDPOINT
async def test_a_head_has_the_headers_of_a_get_and_no_body(
    backend: Backend, fetch: Fetch, path: str, content_type: str
) -> None:
    answer = await fetch(backend.url, path, method="HEAD")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.body == b""


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/ws", 401)])
async def test_a_refused_head_has_no_body_either(
    backend: Backend, fetch: Fetch, path: str, status: int
) -> None:
    answer = await fetch(backend.url, path, method="HEAD")
    assert (answer.status, answer.body) == (status, b"")


@EVERY_ENDPOINT
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_405_with_those_allowed(
    backend: Backend, fetch: Fetch, path: str, content_type: str, method: str
) -> None:
    answer = await fetch(backend.url, path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "status", "header", "value"),
    [("GET", 426, "upgrade", "websocket"), ("POST", 405, "allow", "GET, HEAD")],
)
async def test_a_plain_request_to_the_socket_is_told_what_is_expected(
    backend: Backend,
    fetch: Fetch,
    tokens: Tokens,
    method: str,
    status: int,
    header: str,
    value: str,
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", authorization, method=method)
    assert (answer.status, answer.headers[header]) == (status, value)
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == status


async def test_a_plain_request_to_the_socket_without_a_token_is_401(
    backend: Backend, fetch: Fetch
) -> None:
    assert (await fetch(backend.url, "/ws")).status == 401


@pytest.mark.parametrize("path", ["/nothing", "/ws/", "/ws/nothing", "/WS/health", "//[", "/%2e"])
async def test_an_unknown_path_is_404(backend: Backend, fetch: Fetch, path: str) -> None:
    answer = await fetch(backend.url, path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [*ENDPOINTS, "/nothing", "/ws"])
async def test_no_answer_names_the_software(backend: Backend, fetch: Fetch, path: str) -> None:
    answer = await fetch(backend.url, path)
    assert not {"server", "x-powered-by"} & set(answer.headers)


async def test_an_upgrade_does_not_name_the_software(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        assert tab.response is not None
        assert tab.response.status_code == 101
        assert "Server" not in tab.response.headers
        assert "Sec-WebSocket-Extensions" not in tab.response.headers


async def test_health_names_its_components_and_the_commit(backend: Backend, fetch: Fetch) -> None:
    answer = json.loads((await fetch(backend.url, "/ws/health")).body)
    assert list(answer) == ["status", "components", "commit", "timestamp"]
    assert answer["status"] == "healthy"
    assert answer["components"] == {"manager": "healthy", "event_log": "healthy"}
    assert answer["commit"] == "c0ffee"


async def test_config_shows_the_limits_in_force(tokens: Tokens, fetch: Fetch) -> None:
    settings = Settings(max_message_bytes=12345, allowed_origins=("https://app.example",))
    async with serving(tokens, settings) as backend:
        answer = json.loads((await fetch(backend.url, "/ws/config")).body)
    assert tuple(answer["limits"]) == Settings.__struct_fields__
    assert msgspec.convert(answer["limits"], Settings) == settings
    assert answer["event_types"] == list(EVENT_TYPES)
    assert answer["close_codes"]["4501"] == CloseCode.TOO_MANY_CONNECTIONS.meaning


async def test_stats_count_people_and_not_probes(
    backend: Backend, fetch: Fetch, open_tab: OpenTab
) -> None:
    await fetch(backend.url, "/ws/health")
    async with open_tab(backend) as tab:
        await ready(tab)
        await chat(tab)
        answer = json.loads((await fetch(backend.url, "/ws/stats")).body)
    assert answer == {"connections": 1, "users": 1, "runs": 0, "events": 5, "losses": 0}


async def test_metrics_count_handshakes_and_connections(
    backend: Backend, fetch: Fetch, open_tab: OpenTab
) -> None:
    await fetch(backend.url, "/ws", *UPGRADE)
    async with open_tab(backend) as tab:
        await ready(tab)
        lines = (await fetch(backend.url, "/metrics")).body.decode().splitlines()
    assert 'netra_ws_handshakes_total{status="401"} 1.0' in lines
    assert 'netra_ws_handshakes_total{status="101"} 1.0' in lines
    assert "netra_ws_connections 1.0" in lines


async def test_a_handshake_is_counted_once_under_the_status_that_was_sent(
    backend: Backend, fetch: Fetch, open_tab: OpenTab, tokens: Tokens
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    keyless = [line for line in UPGRADE if "-Key" not in line]
    assert (await fetch(backend.url, "/ws", *keyless, authorization)).status == 400
    assert (await fetch(backend.url, "/ws", *UPGRADE, "Authorization: Bearer x")).status == 401
    async with open_tab(backend) as tab:
        await ready(tab)
        lines = (await fetch(backend.url, "/metrics")).body.decode().splitlines()
    assert {line for line in lines if line.startswith("netra_ws_handshakes_total")} == {
        f'netra_ws_handshakes_total{{status="{status}"}} 1.0' for status in (101, 400, 401)
    }


async def test_the_echo_path_is_there_only_when_asked_for(tokens: Tokens, fetch: Fetch) -> None:
    async with serving(tokens) as backend:
        assert (await fetch(backend.url, "/ws/test", *UPGRADE)).status == 404


async def test_the_echo_path_sends_back_what_comes(tokens: Tokens) -> None:
    async with serving(tokens, echo=True) as backend:
        url = backend.url.replace("http", "ws", 1) + "/ws/test"
        async with connect(url, proxy=None) as tab:
            for message in ("text", b"\x00\xff"):
                await tab.send(message)
                async with asyncio.timeout(LIMIT_S):
                    assert await tab.recv() == message


# Routes that fail


class LostLog(MemoryUserLog):
    """A log that takes events and gives them to nobody."""

    __slots__ = ()

    def append(self, encode: Callable[..., bytes]) -> bytes:
        """Lose the event."""
        return b"lost"


class LosingEventLog(MemoryEventLog):
    """An event log of such logs."""

    def user(self, user_id: str) -> MemoryUserLog:
        """Return a new one."""
        return LostLog(self, 8, 1024)


class BrokenEventLog(MemoryEventLog):
    """An event log that cannot be reached."""

    def user(self, user_id: str) -> MemoryUserLog:
        """Raise what must not reach a client."""
        raise OSError("redis://secret@host refused")


async def test_health_is_503_when_the_canary_does_not_arrive(tokens: Tokens, fetch: Fetch) -> None:
    settings = Settings(canary_timeout_s=0.01)
    event_log = LosingEventLog(settings)
    async with serving(tokens, settings, event_log=event_log) as backend:
        answer = await fetch(backend.url, "/ws/health")
        ready = await fetch(backend.url, "/ws/ready")
    assert ready.status == 503
    assert json.loads(ready.body)["components"] == {"event_log": "no answer"}
    assert answer.status == 503
    assert json.loads(answer.body)["components"] == {
        "manager": "healthy",
        "event_log": "unhealthy",
    }


@pytest.mark.parametrize("path", ["/ws/health", "/ws/config", "/ws/stats"])
async def test_a_route_that_raises_is_500_without_internals(
    tokens: Tokens, fetch: Fetch, log_lines: LogLines, path: str
) -> None:
    settings = Settings()
    async with serving(tokens, settings, event_log=BrokenEventLog(settings)) as backend:
        answer = await fetch(backend.url, path)
        metrics = (await fetch(backend.url, "/metrics")).body.decode()
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "the request failed; the log says where",
    }
    assert f'netra_ws_handler_failures_total{{route="{path}"}} 1.0' in metrics
    (line,) = log_lines
    assert (line["event"], line["route"], line["commit"]) == ("route failed", path, "c0ffee")
    assert isinstance(line["exc_info"], OSError)


async def test_a_handler_that_raises_closes_with_1011_and_nothing_else(
    tokens: Tokens, open_tab: OpenTab, log_lines: LogLines
) -> None:
    broken = BrokenEventLog(Settings())
    async with serving(tokens, event_log=broken) as backend, open_tab(backend) as tab:
        assert await close_of(tab) == (CloseCode.INTERNAL_ERROR, "", [])
    assert [line["event"] for line in log_lines] == ["route failed"]
