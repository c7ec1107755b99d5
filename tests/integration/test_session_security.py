"""What a token opens and for how long, who is told what, and what no log or answer says."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from clock import Clock
from limits import HANG_S
from plain_client import (
    UPGRADE,
    address,
    connected,
    dial,
    end_of,
    post_login,
    raw_request,
    read_until,
    refusal,
    request,
    run_fault,
    say,
)
from processes import Server
from raw_peer import LEAST_BUFFER, kernel_has, read_to_the_end, upgraded
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from netra_ws.agent import AgentRun
from netra_ws.auth.tokens import Tokens
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

SECRET = "a secret of more than thirty-two bytes"
ORIGIN = "https://app.example"
FLOOD = {"count": 180, "size": 50_000}
"""More than the kernel keeps of a connection."""

AGENT = """
import asyncio
import json
import logging
from pathlib import Path

for name in (None, "websockets", "websockets.server", "asyncio", "aiohttp", "netra_ws"):
    logging.getLogger(name).setLevel(logging.DEBUG)


async def agent(run, message):
    try:
        asked = json.loads(message)
    except ValueError:
        raise ValueError(message) from None
    await run.thinking("Here I am.")
    while not Path(asked.get("once", ".")).exists():
        await asyncio.sleep(0.005)
    for _ in range(asked.get("count", 0)):
        await run.thinking("x" * asked.get("size", 1))
        await asyncio.sleep(asked.get("pause", 0))
    return "That is all."
"""

LIFE_S = 600.0
_minted: list[str] = []


def mint(user: str = "ann", secret: str = SECRET, **claims: Any) -> str:
    """Return a token, good for `LIFE_S` but for what is asked for."""
    now = time.time()
    good = {"sub": user, "iat": now, "nbf": now, "exp": now + LIFE_S}
    good |= {"aud": "netra-ws", "iss": "netra-ws-auth", "jti": token_hex(8)}
    token = jwt.encode(good | claims, secret, "HS256")
    _minted.append(token)
    return token


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("security")
    limits = {"token_leeway_s": 0, "allowed_origins": [ORIGIN], "retained_bytes": 20_000_000}
    (folder / "settings.json").write_text(json.dumps(limits))
    (folder / "agents.py").write_text(AGENT)
    arguments = ("--agent", "agents:agent", "--settings", "settings.json", "--demo-users", "1")
    env = {"NETRA_WS_SECRET": SECRET}
    with Server(*arguments, cwd=folder, log=folder / "log", env=env) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """Every library logs at DEBUG. Afterwards: one JSON object a line, and no token in any."""
    yield running
    said = running.stderr()
    assert said.isascii()
    assert said.splitlines() == said.split("\n")[:-1]
    assert all(type(json.loads(line)) is dict for line in said.splitlines())
    for token in _minted:
        _, claims, signature = token.split(".")
        assert claims not in said
        assert signature not in said


async def ask(tab: ClientConnection, **asked: Any) -> None:
    await say(tab, {"type": "user_message", "content": json.dumps(asked)})


async def renew(tab: ClientConnection, token: str) -> None:
    await say(tab, {"type": "renew_token", "token": token})


async def is_alive(tab: ClientConnection) -> bool:
    await say(tab, {"type": "ping"})
    return bool(await read_until(tab, "pong"))


async def messages_left(tab: ClientConnection) -> list[str]:
    messages = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(await tab.recv(decode=True))
    return messages


async def revoke(server: Any, token: str | None, method: str = "POST") -> int:
    fields = [] if token is None else [f"Authorization: Bearer {token}"]
    status, _ = await raw_request(server.backend, f"{method} /ws/revoke HTTP/1.1", *fields)
    return status


def exchange(server: Server, *lines: str) -> bytes:
    """Send lines in ISO-8859-1; return every byte of the answer, upgraded or not."""
    with socket.create_connection(address(server.backend), timeout=HANG_S) as peer:
        peer.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        peer.shutdown(socket.SHUT_WR)
        with peer.makefile("rb") as answer:
            return answer.read()


# Where a token may stand, and where it is never seen


@pytest.mark.parametrize("name", ["token", "access_token", "bearer", "Authorization"])
async def test_a_token_in_the_query_is_not_looked_at(server: Server, name: str) -> None:
    answer = await refusal(server.backend, None, path=f"/ws?{name}={mint()}")
    assert answer.status == 401


async def test_no_answer_repeats_the_token(server: Server) -> None:
    token = mint()
    bearer = f"Authorization: Bearer {token}"
    protocols = "Sec-WebSocket-Protocol: netra.v1, bearer."
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    requests = {
        "header": (101, ["GET /ws HTTP/1.1", bearer, *UPGRADE]),
        "subprotocol": (101, ["GET /ws HTTP/1.1", f"{protocols}{token}", *UPGRADE]),
        "bad subprotocol": (400, ["GET /ws HTTP/1.1", f'{protocols}{token}, "', *UPGRADE]),
        "bad upgrade": (426, ["GET /ws HTTP/1.1", bearer, *UPGRADE[1:], f"Upgrade: {token}"]),
        "bad connection": (426, ["GET /ws HTTP/1.1", bearer, UPGRADE[0], f"Connection: {token}"]),
        "bad version": (
            400,
            [*("GET /ws HTTP/1.1", bearer, *UPGRADE[:2], key), f"Sec-WebSocket-Version: {token}"],
        ),
        "bad key": (
            400,
            ["GET /ws HTTP/1.1", bearer, *UPGRADE[:3], f"Sec-WebSocket-Key: {token}"],
        ),
        "origin": (403, ["GET /ws HTTP/1.1", bearer, *UPGRADE, f"Origin: {token[-20:]}"]),
        "path": (404, [f"GET /ws/{token} HTTP/1.1", bearer]),
        "method": (405, [f"{token} /ws HTTP/1.1", bearer]),
        "query": (400, [f"GET /ws?epoch={token} HTTP/1.1", bearer, *UPGRADE]),
        "two headers": (401, ["GET /ws HTTP/1.1", bearer, bearer, *UPGRADE]),
        "not parsed": (400, ["GET /ws HTTP/1.1", bearer, token]),
        "long": (431, ["GET /ws HTTP/1.1", bearer, f"X: {token}" + "x" * 9000]),
        "plain": (426, ["GET /ws HTTP/1.1", bearer]),
    }
    for name, (status, lines) in requests.items():
        answer = await asyncio.to_thread(exchange, server, *lines)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), name
        assert token[-20:].encode() not in answer, name


async def test_the_subprotocol_opens_as_the_header_does(server: Server) -> None:
    offered = ["netra.v1", f"bearer.{mint()}"]
    async with dial(server.backend, None, subprotocols=offered) as tab:
        await read_until(tab, "connection_ready")
        assert tab.subprotocol == "netra.v1"


# For how long: in this process, whose clock can be set forward


async def talks_on(run: AgentRun, message: str) -> str:
    """Say a word, and the rest when the message's file is there."""
    await run.thinking("Here I am.")
    while not Path(message).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0)
    for _ in range(99):
        await run.thinking("And on.")
    return "That is all."


@asynccontextmanager
async def listening() -> AsyncIterator[SimpleNamespace]:
    """A backend that takes the same tokens, to be used as a server."""
    settings = Settings(token_leeway_s=0, run_timeout_s=10 * LIFE_S)
    registry = ManagerRegistry(settings, agent=talks_on)
    async with Backend(registry, Tokens(SECRET, settings)) as backend:
        yield SimpleNamespace(backend=backend.url)


async def test_a_connection_ends_when_its_token_does(clock: Clock) -> None:
    async with listening() as server, connected(server, mint()) as tab:
        clock.forward(LIFE_S / 2)
        assert await is_alive(tab)
        clock.forward(LIFE_S / 2)
        assert await end_of(tab) == (4003, "the token expired")


async def test_a_renewal_goes_on_past_the_old_expiry_without_a_gap(
    clock: Clock, tmp_path: Path
) -> None:
    async with listening() as server, connected(server, mint()) as tab:
        await say(tab, {"type": "user_message", "content": str(tmp_path / "told")})
        run = await read_until(tab, "agent_thinking")
        await renew(tab, mint(exp=time.time() + 1.5 * LIFE_S))
        run += await read_until(tab, "token_renewed")
        left_s = run.pop().message["payload"]["expires_in"]
        assert 1.5 * LIFE_S - HANG_S <= left_s <= 1.5 * LIFE_S
        clock.forward(LIFE_S)
        (tmp_path / "told").touch()
        run += await read_until(tab, "agent_completed")
        assert await is_alive(tab)
        clock.forward(LIFE_S)
        assert (await end_of(tab))[0] == 4003
    assert run_fault(run) is None
    assert len(run) == 102


async def test_a_renewal_that_is_refused_changes_nothing(clock: Clock) -> None:
    revoked = mint()
    refused = {
        "another user's": mint("ben"),
        "expired": mint(exp=time.time() - 1),
        "forged": mint(secret="x" * 32),
        "revoked": revoked,
        "too long": mint(exp=time.time() + 10_000),
        "none": "",
    }

    said = set()
    async with listening() as server:
        assert await revoke(server, revoked) == 200
        async with AsyncExitStack() as stack:
            tabs = []
            for token in refused.values():
                tab = await stack.enter_async_context(connected(server, mint()))
                await renew(tab, token)
                (error,) = await read_until(tab, "error")
                said.add(tuple(error.message["payload"].values()))
                assert await is_alive(tab)
                tabs.append(tab)
            clock.forward(LIFE_S)
            assert {(await end_of(tab))[0] for tab in tabs} == {4003}
    assert said == {("token_refused", "expected a valid token of the same user")}


# Revocation


async def test_revoke_takes_a_post_with_a_good_token_once(server: Server) -> None:
    token = mint()
    assert await revoke(server, token, "GET") == 405
    assert await revoke(server, None) == 401
    assert await revoke(server, mint(secret="x" * 32)) == 401
    async with connected(server, token):
        pass  # none of these has revoked it
    assert await revoke(server, token) == 200
    assert await revoke(server, token) == 401
    assert (await refusal(server.backend, token)).status == 401


async def test_a_revocation_ends_what_its_token_opened(server: Server, tmp_path: Path) -> None:
    """What happens after the answer to the revocation is told to nobody under that token."""
    token, other = mint(), mint()
    told = tmp_path / "told"
    async with (
        connected(server, token) as first,
        connected(server, token) as second,
        connected(server, other) as same_user,
        connected(server, token) as renewed,
    ):
        await renew(renewed, other)
        await read_until(renewed, "token_renewed")
        await ask(first, once=str(told), count=3)
        runs = [await read_until(tab, "agent_thinking") for tab in (same_user, renewed)]
        for tab in (first, second):
            await read_until(tab, "agent_thinking")
        assert await revoke(server, token) == 200
        told.touch()
        for run, tab in zip(runs, (same_user, renewed), strict=True):
            run += await read_until(tab, "agent_completed")
            assert run_fault(run) is None
            assert run[-1].message["payload"]["status"] == "completed"
        for tab in (first, second):
            assert await end_of(tab) == (4502, "the token was revoked")
            assert await messages_left(tab) == []
        assert await is_alive(same_user)
        assert await is_alive(renewed)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the queues of the kernel")
async def test_a_revocation_throws_away_what_is_not_sent_yet(server: Server) -> None:
    """A reader that stalls gets what the kernel had of it by then, and nothing of our buffer."""
    token = mint("eve")
    with closing(upgraded(server.backend, token, receive_buffer=LEAST_BUFFER)) as stalled:
        async with connected(server, mint("eve")) as reader:
            await ask(reader, **FLOOD)
            await read_until(reader, "agent_completed")
        by = time.monotonic() + HANG_S
        before = -1
        while (queued := kernel_has(stalled)) != before:
            before = queued
            assert await revoke(server, None) == 401  # a turn of the server's loop, and more
            assert time.monotonic() < by
        assert await revoke(server, token) == 200
        received = await asyncio.to_thread(read_to_the_end, stalled)
        assert len(received) <= queued < FLOOD["count"] * 50_000


# Who may ask, and what they learn


@pytest.mark.parametrize(
    ("origins", "status"),
    [
        ([], 101),
        ([ORIGIN], 101),
        ([f"{ORIGIN}.evil.example"], 403),
        ([f"{ORIGIN}/"], 403),
        ([f"{ORIGIN}:443"], 403),
        ([ORIGIN.upper()], 403),
        (["http://app.example"], 403),
        (["https://sub.app.example"], 403),
        (["null"], 403),
        ([""], 403),
        ([ORIGIN, ORIGIN], 403),
        ([f"{ORIGIN}, https://evil.example"], 403),
    ],
)
async def test_origins_are_compared_as_they_are(
    server: Server, origins: list[str], status: int
) -> None:
    fields = [f"Origin: {origin}" for origin in origins]
    lines = ["GET /ws HTTP/1.1", f"Authorization: Bearer {mint()}", *UPGRADE, *fields]
    answer = await asyncio.to_thread(exchange, server, *lines)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_the_backends_own_pages_may_connect(server: Server) -> None:
    async with connected(server, mint(), headers={"Origin": server.backend}) as tab:
        assert await is_alive(tab)


async def test_a_foreign_run_is_answered_as_an_unknown_one(server: Server, tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with connected(server, mint("ann")) as ann, connected(server, mint("ben")) as ben:
        await ask(ann, once=str(told))
        foreign = (await read_until(ann, "agent_thinking"))[-1].message["run_id"]
        unknown = f"run-{token_hex(16)}"
        texts = []
        for run_id in (foreign, unknown):
            await say(ben, {"type": "stop_agent", "run_id": run_id})
            (frame,) = await read_until(ben, "error")
            texts.append(frame.text.replace(frame.message["timestamp"], "now"))
        assert texts[0] == texts[1]
        told.touch()
        (*_, end) = await read_until(ann, "agent_completed")
        assert end.message["payload"]["status"] == "completed"


# What strangers write


FORGED = '{"event": "forged", "level": "error"}'
NASTY = (
    f"x\n{FORGED}\n",
    f'x"}}\r\n{FORGED}',
    f"\x1b[2J\x1b[31m{FORGED}\x07\x00",
    f"\u2028{FORGED}\u2029{FORGED}\x85{FORGED}",
    f"\ud800{FORGED}",
    "\udfff\ud800",
)


async def test_log_lines_cannot_be_forged(server: Server) -> None:
    """The fixture looks at each line; here nobody has made up one."""
    async with connected(server, mint("zoe"), max_queue=None) as tab:  # it is left unread
        for nasty in NASTY:
            for message in (
                {"type": "user_message", "content": nasty},
                {"type": "user_message", "content": "{}", "thread_id": nasty},
                {"type": "stop_agent", "run_id": nasty},
                {"type": "renew_token", "token": nasty},
                {"type": nasty},
                {nasty: nasty},
            ):
                await say(tab, message)
            raw = json.dumps({"type": "user_message", "content": nasty}, ensure_ascii=False)
            await tab.send(raw.encode("utf-8", "surrogatepass"))
        assert await is_alive(tab)
    for nasty in NASTY:
        await post_login(server.auth, {"email": nasty, "password": nasty})
        good = f"Authorization: Bearer {mint()}"
        words = nasty.encode("latin-1", "replace").decode("latin-1")
        for field in (words, words.replace("\n", " ").replace("\r", " ").replace("\0", " ")):
            for lines in (
                ["GET /ws HTTP/1.1", good, *UPGRADE, f"Origin: {field}"],
                ["GET /ws HTTP/1.1", f"Authorization: Bearer {field}", *UPGRADE],
                ["GET /ws HTTP/1.1", f"Sec-WebSocket-Protocol: bearer.{field}", *UPGRADE],
                [f"GET /ws?{field} HTTP/1.1", f"X-Request-Id: {field}"],
                ["POST /ws/revoke HTTP/1.1", f"Authorization: Bearer {field}"],
            ):
                await asyncio.to_thread(exchange, server, *lines)
    lines = server.log()
    assert {"login refused", "token refused", "limit exceeded", "run failed"} <= {
        line["event"] for line in lines
    }
    assert all(line["event"] != "forged" for line in lines)


BANNERS = (b"python", b"websockets/", b"aiohttp", b"cpython")


async def test_no_answer_says_what_it_was_made_with(server: Server) -> None:
    token = mint()
    (user,) = server.users
    answers = [await request(f"{server.backend}{path}") for path in ("/ws/health", "/", "/ws")]
    answers += [await request(f"{server.backend}{path}") for path in ("/ws/config", "/metrics")]
    answers += [await request(server.auth), await post_login(server.auth, {})]
    answers += [await post_login(server.auth, {"email": user.email, "password": "wrong"})]
    login = {"email": user.email, "password": user.password}
    answers += [await post_login(server.auth, login)]
    for answer in answers:
        assert answer.headers.get("Server") is None
        assert not any(banner in bytes(answer.body).lower() for banner in BANNERS)
    async with connected(server, token) as tab:
        assert tab.response is not None
        assert {*map(str.lower, tab.response.headers)} == {
            *("date", "upgrade", "connection", "sec-websocket-accept"),
        }
