"""The login service on a real socket, and the client's side of a login."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from accounts import LIFETIME_S, Demo
from limits import HANG_S

from netra_ws.auth.service import AuthService
from netra_ws.auth.tokens import Tokens
from netra_ws.client import login
from netra_ws.errors import ConfigurationError, LoginError
from netra_ws.wire.urls import base_url

# The login service


@pytest.fixture
async def service(demo: Demo, own_tokens: Tokens) -> AsyncIterator[AuthService]:
    """The login service, listening on a port of the system's choice."""
    async with AuthService(demo[0], own_tokens, "127.0.0.1", 0) as listening:
        yield listening


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that does not wait forever."""
    timeout = aiohttp.ClientTimeout(total=HANG_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


Http = aiohttp.ClientSession


async def test_a_login_has_the_shape_of_the_contract(
    service: AuthService, http: Http, demo: Demo, own_tokens: Tokens
) -> None:
    email, password = demo[1][1].email, demo[1][1].password
    body = {"email": email, "password": password}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        login = await answer.json()
    assert list(login) == ["access_token", "token_type", "expires_in", "user"]
    assert (login["token_type"], login["expires_in"]) == ("Bearer", int(LIFETIME_S))
    assert login["user"] == {"id": "user2", "email": email}
    assert own_tokens.verify(login["access_token"]).user_id == "user2"


WRONG = {
    "a wrong password": ("user1@demo.example", "wrong"),
    "an unknown email": ("nobody@demo.example", "wrong"),
    "nothing": ("", ""),
    "a null byte": ("user1@demo.example\0", "\0"),
    "signs outside of ASCII": ("üser@demo.example", "pässword \U0001f600"),
}


@pytest.mark.parametrize(("email", "password"), WRONG.values(), ids=list(WRONG))
async def test_a_wrong_login_is_401_and_does_not_say_what_was_wrong(
    service: AuthService, http: Http, email: str, password: str
) -> None:
    body = {"email": email, "password": password}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read()) == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "wrong email or password",
        }


@pytest.mark.parametrize("missing", ["email", "password"])
async def test_a_missing_field_is_422_and_named(
    service: AuthService, http: Http, missing: str
) -> None:
    body = {"email": "ann@x", "password": "secret"}
    del body[missing]
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 422
        assert answer.content_type == "application/problem+json"
        assert missing in json.loads(await answer.read())["detail"]


UNREADABLE = {
    "nothing": b"",
    "not JSON": b"email=ann",
    "not UTF-8": b'{"email": "\xe4", "password": "x"}',
    "a list": b"[]",
    "a number for an email": b'{"email": 7, "password": "x"}',
    "half a surrogate pair": b'{"email": "\\ud800", "password": "x"}',
    "a password of 2 KiB": json.dumps({"email": "a", "password": "x" * 2048}).encode(),
    "brackets in brackets": b'{"email": "a", "password": "b", "more": ' + b"[" * 60_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
async def test_a_body_that_is_no_login_is_422(
    service: AuthService, http: Http, body: bytes
) -> None:
    async with http.post(f"{service.url}/auth/login", data=body) as answer:
        assert answer.status == 422
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 422


async def test_a_body_above_the_limit_is_413(service: AuthService, http: Http) -> None:
    async with http.post(f"{service.url}/auth/login", data=b" " * 70_000) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 413


async def test_another_method_is_405_and_another_path_404(service: AuthService, http: Http) -> None:
    async with http.get(f"{service.url}/auth/login") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 405
    async with http.get(f"{service.url}/auth") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 404


@pytest.mark.parametrize("path", ["/auth/login", "/nothing"])
async def test_no_answer_names_the_software(
    service: AuthService, fetch: Callable[..., Awaitable[Any]], path: str
) -> None:
    for method in ("GET", "POST"):
        answer = await fetch(service.url, path, method=method)
        assert not {"server", "x-powered-by"} & set(answer.headers)
        assert b"aiohttp" not in answer.body


async def test_a_refused_login_is_logged_without_its_password(
    service: AuthService, http: Http, log_lines: list[dict[str, Any]]
) -> None:
    body = {"email": "ann@x\n{}", "password": "hunter2"}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 401
    assert [line["event"] for line in log_lines] == ["login refused"]
    assert "hunter2" not in str(log_lines)


async def test_a_port_in_use_is_a_configuration_error(
    service: AuthService, demo: Demo, own_tokens: Tokens
) -> None:
    port = int(service.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}: .*--a"):
        async with AuthService(demo[0], own_tokens, "127.0.0.1", port):
            pass


# The client's side of a login


async def test_the_client_logs_in(service: AuthService, demo: Demo) -> None:
    answer = await login(service.url, demo[1][0].email, demo[1][0].password)
    assert answer.user.id == "user1"


async def test_the_client_says_that_a_login_was_refused(service: AuthService) -> None:
    with pytest.raises(LoginError, match=r"answered 401.* check email and password") as refused:
        await login(service.url, "user1@demo.example", "wrong")
    assert refused.value.status == 401


async def test_the_client_says_that_nobody_listens(service: AuthService) -> None:
    url = service.url
    await service.__aexit__(None, None, None)
    with pytest.raises(LoginError, match=r"is the login service running") as refused:
        await login(url, "user1@demo.example", "wrong")
    assert refused.value.status is None


async def test_the_client_says_that_an_answer_is_not_utf_8() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        body = b'{"access_token": "\xe4"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = base_url(*server.sockets[0].getsockname())
        with pytest.raises(LoginError, match=r"something that is not a login") as refused:
            await login(url, "user1@demo.example", "right")
    assert refused.value.status == 200
