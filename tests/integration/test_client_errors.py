"""Whatever a server, a proxy or an address is, the client raises errors of this package only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tabs import LIMIT_S

from netra_ws.auth.login import LoginResponse, LoginUser
from netra_ws.client import Backoff, Channel, Client, login
from netra_ws.errors import HandshakeRefused, LoginError, NetraError
from netra_ws.wire.urls import base_url

ONCE = Backoff(first_s=0.001, max_s=0.001, attempts=2)


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says this to whatever is asked, and keeps what was asked."""
    asked: list[bytes] = []

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            first = await reader.readexactly(1)
            if first != b"\x16":  # that begins a handshake of TLS
                head = first + await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0].strip()
                asked.append(head + await reader.readexactly(int(length or 0)))
            writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield base_url(*server.sockets[0].getsockname()[:2]), asked
        if serving:
            await asyncio.wait(serving, timeout=LIMIT_S)


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


SESSION = {"access_token": "t", "token_type": "Bearer", "expires_in": 900}
USER = {"id": "ann", "email": "ann@demo.example"}

ANSWERS = {
    "HTML of a proxy": http("200 OK", b"<html>sign in</html>", "Content-Type: text/html"),
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28" * 3,
    "a status that is none": http("99999 What"),
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an encoding that is none": http("200 OK", b"{}", "Content-Encoding: gzip"),
    "a header that is too long": http("200 OK", b"{}", "X: " + "x" * 100_000),
    "headers that are too many": http("200 OK", b"{}", *["X: x"] * 1000),
    "a cookie that is none": http("200 OK", b"{}", "Set-Cookie: \x01=\x02; Expires=\u00e4"),
    "another type": http("200 OK", b"[1, 2]"),
    "a number for a token": http("200 OK", json.dumps(SESSION | {"access_token": 5}).encode()),
    "no user": http("200 OK", json.dumps(SESSION).encode()),
    "a number of 400 digits": http("200 OK", b'{"expires_in": ' + b"9" * 400 + b"}"),
    "nesting": http("200 OK", b"[" * 100_000),
    "half a surrogate pair": http("200 OK", b'{"access_token": "\\ud800"}'),
    "an upgrade without its key": http(
        "101 Switching Protocols", b"", "Upgrade: websocket", "Connection: Upgrade"
    ),
    "another upgrade": http("101 Switching Protocols", b"", "Upgrade: h2c", "Connection: Upgrade"),
    "a proxy that wants a password": http("407 Proxy Authentication Required"),
    "a retry that is no time": http("503 Unavailable", b"", "Retry-After: \u00b2"),
    "two retries": http("503 Unavailable", b"", "Retry-After: 1", "Retry-After: 2"),
    "a redirect to nowhere": http("307 Temporary Redirect"),
}
PLACES = (
    "http://127.0.0.1:1/",
    "https://127.0.0.1:1/",
    "/elsewhere",
    "elsewhere",
    "//127.0.0.2/x",
    "ws://127.0.0.1:1/",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "file:///etc/passwd",
    "",
)
ANSWERS |= {
    f"{status} to {place!r}": http(f"{status} Moved", b"", f"Location: {place}")
    for status in (301, 302, 303, 307, 308)
    for place in PLACES
}


async def session() -> LoginResponse:
    return LoginResponse("token", "Bearer", 900, LoginUser("ann", "ann@demo.example"))


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
async def test_whatever_is_answered_is_an_error_of_this_package(answer: bytes) -> None:
    async with answering(answer) as (url, _), asyncio.timeout(LIMIT_S):
        with pytest.raises(LoginError):
            await login(url, "ann@demo.example", "secret")
        with pytest.raises(HandshakeRefused):
            await Channel(url, "token").open()
        with pytest.raises(HandshakeRefused):
            async with Client(url, session, backoff=ONCE):
                pass


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/auth/login", "/ws", "/"])
async def test_neither_password_nor_token_follows_a_redirect(status: int, path: str) -> None:
    async with (
        answering(http("200 OK", b"{}")) as (other, heard),
        answering(http(f"{status} Moved", b"", f"Location: {other}{path}")) as (url, _),
    ):
        with pytest.raises(LoginError, match=f"answered {status}.*{other}") as refused:
            await login(url, "ann@demo.example", "secret")
        assert refused.value.status == status
        with pytest.raises(HandshakeRefused, match=f"got {status}.*{other}"):
            await Channel(url, "token").open()
    assert heard == []


async def test_a_redirect_in_circles_is_asked_once() -> None:
    async with answering(http("308 Moved", b"", "Location: /auth/login")) as (url, asked):
        with pytest.raises(LoginError):
            await login(url, "ann@demo.example", "secret")
        assert len(asked) == 1


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:-1",
        "http://127.0.0.1:port",
        "http://[::1",
        "ftp://127.0.0.1",
        "http://ann:secret@127.0.0.1",
        f"http://{'a' * 64}.invalid",
        "http://a..b",
        "http://\x00",
        "https://127.0.0.1:1",
        "http://\ud800",
    ],
)
async def test_whatever_an_address_is(address: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(NetraError):
            await login(address, "ann@demo.example", "secret")
        with pytest.raises(NetraError):
            await Channel(address, "token").open()
        with pytest.raises(NetraError):
            async with Client(address, session, backoff=ONCE):
                pass


async def test_tls_with_a_server_that_speaks_none() -> None:
    async with answering(http("200 OK", b"{}")) as (url, _), asyncio.timeout(LIMIT_S):
        address = url.replace("http", "https")
        with pytest.raises(LoginError):
            await login(address, "ann@demo.example", "secret")
        with pytest.raises(HandshakeRefused):
            await Channel(address, "token").open()


@pytest.mark.parametrize("password", ["\ud800", "\x00", "x" * 100_000], ids=["half", "nul", "long"])
async def test_whatever_a_password_is(password: str) -> None:
    async with answering(http("422 Unprocessable")) as (url, _):
        with pytest.raises(LoginError):
            await login(url, "ann@demo.example", password)


@pytest.mark.parametrize("token", ["a\r\nX-More: 1", "\u20ac", "\ud800", ""])
async def test_whatever_a_token_is(token: str) -> None:
    async with answering(http("401 Unauthorized")) as (url, asked):
        with pytest.raises(NetraError):
            await Channel(url, token).open()
    assert not any(b"\nX-More" in one for one in asked)


@pytest.mark.parametrize("scheme", ["http", "nonsense", "socks5"])
async def test_whatever_the_proxy_of_the_environment_is(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with answering(http("200 OK", b"<html>")) as (url, _):
        proxy = url.replace("http", scheme)
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for address in ("http://backend.invalid", "https://backend.invalid"):
            with pytest.raises(LoginError):
                await login(address, "ann@demo.example", "secret")
            with pytest.raises(HandshakeRefused):
                await Channel(address, "token").open()
