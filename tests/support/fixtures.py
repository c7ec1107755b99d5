"""Fixtures of the unit and of the integration tests: log lines, accounts, HTTP requests, tabs.

A `conftest.py` offers them to its tests by importing them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from typing import Any, NamedTuple

import pytest
import structlog
from accounts import LEEWAY_S, LIFETIME_S, SECRET, Demo
from tabs import LIMIT_S, OpenTab, serving
from websockets.asyncio.client import connect

from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import make_demo_users
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings
from netra_ws.wire.urls import base_url

LogLine = dict[str, Any]


class Recorder:
    """A structlog processor that keeps every line and prints none."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self._more = asyncio.Event()

    def __call__(self, _logger: object, level: str, line: Any) -> Any:
        self.lines.append({**line, "level": level})
        self._more.set()
        raise structlog.DropEvent

    async def first(self, event: str, **fields: object) -> LogLine:
        """Return the first line with that event and these fields, as soon as there is one."""
        wanted = {"event": event, **fields}
        async with asyncio.timeout(LIMIT_S):
            while True:
                for line in self.lines:
                    if wanted.items() <= line.items():
                        return line
                self._more.clear()
                await self._more.wait()


@contextmanager
def recorded_logs() -> Iterator[Recorder]:
    recorder = Recorder()
    processors = structlog.get_config()["processors"]
    before = processors[:]
    processors[:] = [recorder]
    try:
        yield recorder
    finally:
        processors[:] = before


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """The log lines of this test, kept and not printed."""
    with recorded_logs() as lines:
        yield lines


@pytest.fixture
def log_lines(recorder: Recorder) -> list[LogLine]:
    """The log lines of this test so far."""
    return recorder.lines


@pytest.fixture
def logged(recorder: Recorder) -> Callable[[str], Awaitable[LogLine]]:
    """A function that waits for the first log line with the event it is given."""
    return recorder.first


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    """Tokens signed with a secret of the tests."""
    return Tokens("a secret of the tests, long enough for HS256", Settings())


@pytest.fixture(scope="session")
def own_tokens() -> Tokens:
    """Tokens with a known secret, lifetime and leeway."""
    return Tokens(SECRET, Settings(token_lifetime_s=LIFETIME_S, token_leeway_s=LEEWAY_S))


@pytest.fixture(scope="session")
def demo() -> Demo:
    """Three demo users; their hashes are quick to check."""
    return make_demo_users(3)


class Answer(NamedTuple):
    """One HTTP response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def _fetch(
    url: str,
    path: str,
    *headers: str,
    method: str = "GET",
    body: bytes = b"",
) -> Answer:
    address = url.removeprefix("http://")
    host, _, port = address.rpartition(":")
    assert url == base_url(host, int(port))
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address}", "Connection: close"]
    head = "\r\n".join([*lines, *length, *headers, "", ""]).encode("latin-1")
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head + body)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, rest = received.partition(b"\r\n\r\n")
    status_line, _, fields = head.partition(b"\r\n")
    parsed = BytesHeaderParser().parsebytes(fields)
    answered = {name.lower(): value for name, value in parsed.items()}
    return Answer(int(status_line.split()[1]), answered, rest)


@pytest.fixture(scope="session")
def fetch() -> Callable[..., Awaitable[Answer]]:
    """A function that makes one HTTP request and returns every byte of its answer."""
    return _fetch


@pytest.fixture
async def backend(tokens: Tokens) -> AsyncIterator[Backend]:
    """A backend with the default settings and the built-in agent."""
    async with serving(tokens) as listening:
        yield listening


@pytest.fixture
def open_tab(tokens: Tokens) -> OpenTab:
    """A function that connects a user to a backend."""

    def open_it(backend: Backend, user: str = "ann", query: str = "", **options: Any) -> connect:
        options.setdefault("ping_interval", None)  # that of the server is what is tested
        options.setdefault("additional_headers", {"Authorization": f"Bearer {tokens.issue(user)}"})
        url = backend.url.replace("http", "ws", 1) + "/ws" + query
        return connect(url, proxy=None, open_timeout=LIMIT_S, **options)

    return open_it
