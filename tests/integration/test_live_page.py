"""The live page as it is served, and the pages that the login service lets in.

What it does in a browser: tests/acceptance/test_live_browser.py.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy
from plain_client import dial, log_in, request
from processes import Serve, Server

from netra_ws.auth.users import DemoUser, hash_password
from netra_ws.origins import Origins
from netra_ws.serving.live import address_to_open, page, page_headers

APP = "https://app.example"
SECRET = {"NETRA_WS_SECRET": "s" * 48}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Both services, with one origin more than their own."""
    folder = tmp_path_factory.mktemp("server")
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"allowed_origins": [APP]}))
    with Server("--settings", settings, cwd=folder, log=folder / "server.log") as server:
        yield server


class Elements(HTMLParser):
    """The elements of a page, and the text in those that have any."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[SimpleNamespace] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(SimpleNamespace(tag=tag, attributes=dict(attrs), text=""))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1].text += data

    def all(self, tag: str) -> list[SimpleNamespace]:
        return [element for element in self.found if element.tag == tag]


def policy(headers: dict[str, str]) -> dict[str, list[str]]:
    """Return the sources of each directive."""
    rules = headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, rules)}


# The page


async def test_the_page_is_served(server: Server) -> None:
    answer = await request(f"{server.backend}/")
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.body.decode()
    (login,) = (
        element.attributes["content"]
        for element in Elements(text).all("meta")
        if element.attributes.get("name") == "netra-auth"
    )
    assert login == server.auth
    assert "{{" not in text
    for user in server.users:
        assert user.password not in text


async def test_a_head_has_its_headers(server: Server) -> None:
    get, head = [await request(f"{server.backend}/", method=method) for method in ("GET", "HEAD")]
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Content-Security-Policy"):
        assert head.headers[name] == get.headers[name]


async def test_the_policy_allows_what_the_page_needs(server: Server) -> None:
    """And nothing more: no other script, no other style, no other address, no frame around it."""
    answer = await request(f"{server.backend}/")
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"
        for tag in ("script", "style")
        for inside in re.findall(rf"<{tag}>(.*?)</{tag}>", answer.body.decode(), re.DOTALL)
    }
    assert policy(dict(answer.headers)) == {
        "default-src": ["'none'"],
        "script-src": [hashes["script"]],
        "style-src": [hashes["style"]],
        "img-src": ["data:"],
        "worker-src": ["blob:"],
        "connect-src": ["'self'", server.auth],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


def test_the_page_asks_nobody_else() -> None:
    elements = Elements(page("http://127.0.0.1:1").decode())
    assert len(elements.all("script")) == len(elements.all("style")) == 1
    for element in elements.found:
        for name in ("src", "href", "action", "srcset"):
            assert element.attributes.get(name, "data:").startswith("data:"), element
        assert not [name for name in element.attributes if name.startswith("on")]
        assert "style" not in element.attributes  # the policy would forbid it
    (style,) = elements.all("style")
    assert not re.search(r"url\(|@import", style.text)


@pytest.mark.parametrize(
    ("auth_url", "named", "sources"),
    [
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("https://login.example", "https://login.example", "https://login.example"),
        ("http://[::1]:8001", "http://[::1]:8001", "http:"),
        ("http://0.0.0.0:8001", "", "http: https:"),
        ("http://[::]:8001", "", "http: https:"),
        (None, "", "http: https:"),
    ],
)
def test_where_it_may_log_in(auth_url: str | None, named: str, sources: str) -> None:
    assert f'name="netra-auth" content="{named}"' in page(auth_url).decode()
    assert policy(page_headers(auth_url))["connect-src"] == ["'self'", *sources.split()]


async def test_a_backend_alone_leaves_the_address_to_the_reader(serve: Serve) -> None:
    alone = serve("--service", "backend", env=SECRET)
    answer = await request(f"{alone.backend}/")
    assert 'name="netra-auth" content=""' in answer.body.decode()
    assert policy(dict(answer.headers))["connect-src"] == ["'self'", "http:", "https:"]


@pytest.mark.parametrize(
    ("commit", "shown"),
    [("unknown", "unknown"), ("c0ffee", "c0ffee"), ('"><b>', "&quot;&gt;&lt;b&gt;")],
)
def test_the_page_names_the_commit_that_serves_it(commit: str, shown: str) -> None:
    assert f'name="netra-commit" content="{shown}"' in page(None, commit).decode()


@pytest.mark.parametrize(
    ("url", "public_url", "opened"),
    [
        ("http://127.0.0.1:8000", "", "http://127.0.0.1:8000/"),
        ("http://0.0.0.0:8000", "", "http://127.0.0.1:8000/"),
        ("http://[::]:8000", "", "http://[::1]:8000/"),
        ("http://192.0.2.1:8000", "", "http://192.0.2.1:8000/"),
        ("http://0.0.0.0:8000", "https://app.example/chat", "https://app.example/chat/"),
    ],
)
def test_the_address_to_open_can_be_opened(url: str, public_url: str, opened: str) -> None:
    assert address_to_open(url, public_url, []) == opened
    users = [DemoUser(f"user{number}@demo.example", "a_b-c") for number in range(3)]
    logins = "user0%40demo.example=a_b-c&user1%40demo.example=a_b-c"
    assert address_to_open(url, public_url, users) == f"{opened}#{logins}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_a_page_of_every_address_is_let_in_where_it_is_opened(
    host: str, serve: Serve, tmp_path: Path
) -> None:
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("expected IPv6")
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{"email": "a@b", "id": "a", "argon2": hash_password("a")}]))
    staging = {"TEST_ENVIRONMENT": "staging", **SECRET}
    server = serve("--host", host, "--users", users, env=staging)
    opened = server.announcement["open"]
    port = server.auth.rpartition(":")[2]
    text = (await request(opened)).body.decode()
    assert f'name="netra-auth" content="" data-port="{port}"' in text
    preflight, refused = await asyncio.gather(
        send(
            "OPTIONS",
            opened.rpartition(":")[0] + f":{port}/auth/login",
            headers={"Origin": opened.rstrip("/"), **PREFLIGHT},
        ),
        send("GET", f"{opened}ws", headers={"Origin": opened.rstrip("/")}),
    )
    assert (preflight.status, refused.status) == (204, 401)


# Who may connect and log in


def own_origins(backend: str) -> set[str]:
    return {backend, backend.replace("127.0.0.1", "localhost")}


def test_localhost_is_another_name_for_loopback_only() -> None:
    for host, shown, has_name in (
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]", True),
        ("192.0.2.1", "192.0.2.1", False),
    ):
        origins = Origins((), "")
        origins.listen(host, 8)
        assert origins.grant([f"http://{shown}:8"])
        assert origins.grant(["http://localhost:8"]) is has_name


async def test_the_own_page_may_connect(server: Server) -> None:
    login = await log_in(server.auth, server.users[0])
    for origin in own_origins(server.backend):
        protocols = ["netra.v1", f"bearer.{login.token}"]
        headers = {"Origin": origin}
        async with dial(server.backend, None, subprotocols=protocols, headers=headers) as socket:
            assert socket.subprotocol == "netra.v1"


GRANT = "Access-Control-Allow-Origin"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
}


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


async def send(method: str, url: str, **options: Any) -> Answer:
    async with ClientSession() as session, session.request(method, url, **options) as answer:
        return Answer(answer.status, answer.headers, await answer.read())


async def ask(
    server: Server, origin: str, user: int = 0, password: str = "wrong"
) -> tuple[Answer, Answer]:
    """Return what a browser gets for a page of `origin`: to its preflight, and to a login."""
    url = f"{server.auth}/auth/login"
    login = {"email": server.users[user].email, "password": password}
    return await asyncio.gather(
        send("OPTIONS", url, headers={"Origin": origin, **PREFLIGHT}),
        send("POST", url, headers={"Origin": origin}, json=login),
    )


async def test_the_own_page_may_log_in(server: Server) -> None:
    for origin in (*own_origins(server.backend), APP):
        preflight, refused = await ask(server, origin)
        assert (preflight.status, preflight.body) == (204, b"")
        assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
        assert preflight.headers["Access-Control-Allow-Headers"] == "Content-Type"
        assert refused.status == 401
        _, accepted = await ask(server, origin, password=server.users[0].password)
        assert accepted.status == 200
        for answer in (preflight, refused, accepted):
            assert answer.headers.getall(GRANT) == [origin]
            assert answer.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_only_pages_on_the_list_may_log_in(server: Server) -> None:
    own = server.backend
    for origin in (
        "https://elsewhere.example",
        "null",
        "*",
        "http://127.0.0.1",
        f"{own}/",
        f"{own}0",
        own.replace("http", "https"),
        own.upper(),
        f"{own}, https://elsewhere.example",
        f"{APP}.evil.example",
        server.auth,
    ):
        preflight, refused = await ask(server, origin, user=1)
        assert (preflight.status, refused.status in {401, 429}) == (405, True)
        for answer in (preflight, refused):
            assert not [name for name in answer.headers if name.lower().startswith("access-c")]
            assert answer.headers["Vary"] == "Origin"


async def test_no_page_may_read_the_rest_of_the_login_service(server: Server) -> None:
    for path in ("/metrics", "/nothing"):
        answer = await send("GET", f"{server.auth}{path}", headers={"Origin": server.backend})
        assert GRANT not in answer.headers


@pytest.mark.parametrize("asked", ["PUT", "GET", "post", ""])
async def test_a_preflight_for_another_method_is_405(server: Server, asked: str) -> None:
    headers = {"Origin": APP, "Access-Control-Request-Method": asked}
    answer = await send("OPTIONS", f"{server.auth}/auth/login", headers=headers)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_login_service_alone_takes_the_list_of_its_settings(
    serve: Serve, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"allowed_origins": [APP]}))
    alone = serve("--service", "auth", "--settings", settings, env=SECRET)
    preflight, _ = await ask(alone, APP)
    assert (preflight.status, preflight.headers[GRANT]) == (204, APP)
    preflight, _ = await ask(alone, "http://127.0.0.1:8000")
    assert (preflight.status, preflight.headers.get(GRANT)) == (405, None)
