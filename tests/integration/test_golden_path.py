"""The golden path: what a client gets from a healthy backend, of `fixed` and of `before` alike."""

from __future__ import annotations

import ast
import asyncio
import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import plain_client
import pytest
from limits import HANG_S
from plain_client import (
    COMPLETE,
    PROBLEM,
    Login,
    converse,
    dial,
    log_in,
    log_in_all,
    outcome,
    post_login,
    raw_request,
    read_until,
    refusal,
    request,
    run_sessions,
    say,
    tally,
    token_subject,
)
from processes import Serve, python_path

from netra_incident.history.checkout import package_files
from netra_incident.history.deployment import Deployment
from netra_ws.client import Channel


@pytest.fixture(params=["fixed", "before"])
def healthy(request: pytest.FixtureRequest) -> Deployment:
    """What the package ships, and the healthy past: they behave alike."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def login(healthy: Deployment) -> Login:
    """One user, logged in."""
    return await log_in(healthy.auth, healthy.users[0])


# Sessions


async def test_a_hundred_of_a_hundred_sessions_are_complete(healthy: Deployment) -> None:
    sessions = await run_sessions(healthy, batches=5)
    assert tally(sessions) == f"100 of 100 sessions: {COMPLETE}"


async def test_a_users_numbers_go_on_from_session_to_session(
    healthy: Deployment, login: Login
) -> None:
    sessions = [await converse(healthy.backend, login, "def f(): pass") for _ in range(3)]
    assert [outcome(session) for session in sessions] == [COMPLETE] * 3
    events = [frame.message for session in sessions for frame in session.frames[1:-1]]
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len({event["epoch"] for event in events}) == 1
    assert len({event["run_id"] for event in events}) == 3


async def test_the_client_of_the_package_asks_no_proxy_for_this_machine(
    healthy: Deployment, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://{}:{}".format(*nobody.getsockname()))
        async with Channel(healthy.backend, login.token) as channel:
            assert (await channel.chat("hello", HANG_S)).ended


@pytest.mark.parametrize(
    "text", ["", "one word", "import asyncio\nawait asyncio.sleep(0)\n", "ä\0"]
)
async def test_any_text_gets_all_five_types(healthy: Deployment, login: Login, text: str) -> None:
    assert outcome(await converse(healthy.backend, login, text)) == COMPLETE


async def test_two_connections_of_a_user_get_the_same_bytes(
    healthy: Deployment, login: Login
) -> None:
    async with dial(healthy.backend, login.token) as one, dial(healthy.backend, login.token) as two:
        for socket in (one, two):
            await read_until(socket, "connection_ready")
        await say(one, {"type": "user_message", "content": "hello"})
        first, second = [await read_until(socket, "agent_completed") for socket in (one, two)]
    assert [frame.text for frame in first] == [frame.text for frame in second]
    assert plain_client.run_fault(first) is None


async def test_the_user_is_the_same_in_login_token_and_events(healthy: Deployment) -> None:
    for login in await log_in_all(healthy):
        session = await converse(healthy.backend, login, "hello")
        users = {frame.message["user_id"] for frame in session.frames[1:-1]}
        assert users == {login.user_id} == {token_subject(login.token)}


async def test_a_listener_hears_nothing_of_others(healthy: Deployment) -> None:
    listener, *others = await log_in_all(healthy)
    async with dial(healthy.backend, listener.token) as socket:
        await read_until(socket, "connection_ready")
        await asyncio.gather(
            *(converse(healthy.backend, other, f"of {other.user_id}") for other in others)
        )
        await say(socket, {"type": "ping"})
        assert [frame.message["type"] for frame in await read_until(socket, "pong")] == ["pong"]


async def test_the_check_for_foreign_events_sees_a_shared_log(serve: Serve, tmp_path: Path) -> None:
    """On a package with one log for all users, the judge of the sessions above says so."""
    tree = tmp_path / "leaky"
    for name, content in package_files().items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manager = tree / "netra_ws" / "manager.py"
    own, shared = "self._event_log.user(user_id)", 'self._event_log.user("everybody")'
    text = manager.read_text()
    assert text.count(own) == 1
    manager.write_text(text.replace(own, shared))
    server = serve("--tree", tree, "--demo-users", "2")
    logins = await log_in_all(server)
    async with asyncio.timeout(HANG_S):
        gate = asyncio.Barrier(2)
        sessions = await asyncio.gather(
            *(converse(server.backend, login, "hello", gate) for login in logins)
        )
    assert tally(sessions) == "2 of 2 sessions: a foreign event"


# Endpoints


@pytest.mark.parametrize("path", plain_client.ENDPOINTS)
async def test_an_endpoint_answers_200_with_its_keys(healthy: Deployment, path: str) -> None:
    assert await plain_client.endpoint_outcome(healthy.backend, path) == COMPLETE


@pytest.mark.parametrize("path", [*plain_client.ENDPOINTS, "/metrics", "/ws", "/nope"])
async def test_the_answer_to_head_has_no_body(healthy: Deployment, path: str) -> None:
    status, body = await raw_request(healthy.backend, f"HEAD {path} HTTP/1.1")
    assert status == {"/ws": 401, "/nope": 404}.get(path, 200)
    assert body == b""


@pytest.mark.parametrize("headers", [(), plain_client.UPGRADE])
async def test_nothing_but_get_opens_a_socket(
    healthy: Deployment, login: Login, headers: tuple[str, ...]
) -> None:
    token = f"Authorization: Bearer {login.token}"
    assert await raw_request(healthy.backend, "HEAD /ws HTTP/1.1", token, *headers) == (426, b"")
    status, body = await raw_request(healthy.backend, "POST /ws HTTP/1.1", token, *headers)
    assert (status, json.loads(body)["status"]) == (405, 405)


async def test_health_says_that_everything_is_healthy(healthy: Deployment) -> None:
    health = (await request(f"{healthy.backend}/ws/health")).json()
    assert health["status"] == "healthy"
    assert set(health["components"].values()) == {"healthy"}
    assert plain_client.RFC_3339_UTC.fullmatch(health["timestamp"])


async def test_statistics_count_people_and_no_probes(serve: Serve) -> None:
    server = serve("--demo-users", "2")

    async def statistics() -> dict[str, Any]:
        for path in ("/ws/health", "/ws/config"):
            await request(server.backend + path)
        return (await request(f"{server.backend}/ws/stats")).json()

    assert set((await statistics()).values()) == {0}
    ada, bob = await log_in_all(server)
    async with dial(server.backend, ada.token) as one, dial(server.backend, ada.token) as two:
        for socket in (one, two):
            await read_until(socket, "connection_ready")
        session = await converse(server.backend, bob, "hello")
        counts = await statistics()
    events = len(session.frames) - 2
    assert (counts["users"], counts["events"], counts["losses"]) == (2, events, 0)
    assert counts["connections"] >= 2


# Logging in


async def test_a_login_that_is_wrong_is_401(healthy: Deployment) -> None:
    user, other = healthy.users[:2]
    for email, password in (
        (user.email, "wrong"),
        (user.email, other.password),
        (user.email, ""),
        ("nobody@demo.example", user.password),
    ):
        answer = await post_login(healthy.auth, {"email": email, "password": password})
        assert (answer.status, answer.content_type) == (401, PROBLEM)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"email": "user1@demo.example"}',
        b'{"password": "x"}',
        b'{"email": "user1@demo.example", "password": null}',
        b'{"email": 1, "password": "x"}',
        b"[" * 5000,
        b"\xff",
    ],
)
async def test_a_login_with_a_missing_field_is_422(fixed: Deployment, body: bytes) -> None:
    answer = await request(f"{fixed.auth}/auth/login", body)
    assert (answer.status, answer.content_type) == (422, PROBLEM)


# Tokens


def forged(token: str) -> dict[str, str | None]:
    """Return tokens that must not open a connection."""
    header, claims, signature = token.split(".")
    return {
        "none at all": None,
        "no token": "",
        "no JSON web token": "hello",
        "another signature": f"{header}.{claims}.{signature[::-1]}",
        "no signature": f"{header}.{claims}.",
        # {"alg":"none"}
        "no algorithm": f"eyJhbGciOiJub25lIn0.{claims}.",
    }


async def test_a_bad_token_is_401_before_the_upgrade(healthy: Deployment, login: Login) -> None:
    for token in forged(login.token).values():
        answer = await refusal(healthy.backend, token)
        assert (answer.status, answer.content_type) == (401, PROBLEM)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_of_another_deployment_is_401(before: Deployment, fixed: Deployment) -> None:
    login = await log_in(before.auth, before.users[0])
    assert (await refusal(fixed.backend, login.token)).status == 401


async def test_a_token_in_the_address_is_401(fixed: Deployment) -> None:
    login = await log_in(fixed.auth, fixed.users[0])
    for query in (f"token={login.token}", f"access_token={login.token}"):
        assert (await refusal(fixed.backend, None, path=f"/ws?{query}")).status == 401


async def test_a_token_travels_in_the_subprotocol_and_is_not_echoed(
    healthy: Deployment, login: Login
) -> None:
    offered = ["netra.v1", f"bearer.{login.token}"]
    async with dial(healthy.backend, None, subprotocols=offered) as socket:
        assert socket.subprotocol == "netra.v1"
        await read_until(socket, "connection_ready")
    answer = await refusal(healthy.backend, None, subprotocols=["netra.v1", "bearer.hello"])
    assert answer.status == 401


async def test_a_foreign_origin_is_403_and_a_bad_token_comes_first(
    healthy: Deployment, login: Login
) -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    assert (await refusal(healthy.backend, login.token, headers=foreign)).status == 403
    assert (await refusal(healthy.backend, "hello", headers=foreign)).status == 401
    async with dial(healthy.backend, login.token, headers={"Origin": healthy.backend}) as socket:
        await read_until(socket, "connection_ready")


async def test_a_header_that_is_there_twice_is_refused(healthy: Deployment, login: Login) -> None:
    handshake = ("GET /ws HTTP/1.1", *plain_client.UPGRADE)
    token, origin = f"Authorization: Bearer {login.token}", f"Origin: {healthy.backend}"
    earlier = len(healthy.log())
    for status, headers in (
        (401, (token, token)),
        (401, (token, "Authorization: Bearer hello")),
        (403, (token, origin, origin)),
        (403, (token, origin, "Origin: https://elsewhere.example")),
    ):
        assert (await raw_request(healthy.backend, *handshake, *headers))[0] == status
    said = healthy.log()[earlier:]
    assert [line["event"] for line in said] == ["token refused"] * 2 + ["limit exceeded"] * 2
    assert not any("traceback" in line for line in said)


# Messages that are not one


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ('{"type": "user_message", "content": "x"', "invalid_json"),
        ("[" * 5000, "invalid_message"),
        ('{"type": "user_message", "content": ' + "[" * 5000, "invalid_message"),
        ("[]", "invalid_message"),
        ("{}", "invalid_message"),
        ('{"type": "nope"}', "invalid_message"),
        ('{"type": "user_message"}', "invalid_message"),
        ('{"type": "user_message", "content": 1}', "invalid_message"),
        ('{"type": "user_message", "content": "x", "thread_id": ""}', "invalid_message"),
        ('{"type": "user_message", "content": "x", "user_id": "user2"}', "invalid_message"),
        ('{"type": "stop_agent", "run_id": "run-of-nobody"}', "unknown_run"),
        (b'{"type": "ping"}', None),
    ],
)
async def test_a_broken_message_is_a_typed_error_and_the_session_lives_on(
    fixed: Deployment, message: str | bytes, code: str | None
) -> None:
    login = await log_in(fixed.auth, fixed.users[0])
    async with dial(fixed.backend, login.token) as socket:
        await read_until(socket, "connection_ready")
        await socket.send(message)
        (error,) = await read_until(socket, "error")
        assert set(error.message) == {"type", "timestamp", "payload"}
        assert set(error.message["payload"]) == {"code", "message"}
        assert code is None or error.message["payload"]["code"] == code
        await say(socket, {"type": "user_message", "content": "still there"})
        assert plain_client.run_fault(await read_until(socket, "agent_completed")) is None


async def test_broken_messages_are_answered_one_by_one(healthy: Deployment, login: Login) -> None:
    async with dial(healthy.backend, login.token) as socket:
        await read_until(socket, "connection_ready")
        for _ in range(3):
            await socket.send("{broken")
        await say(socket, {"type": "ping"})
        answers = await read_until(socket, "pong")
    assert [answer.message["type"] for answer in answers] == ["error", "error", "error", "pong"]


# An agent of one's own, with a tool that takes its time

AGENTS = """
import asyncio
import time
from pathlib import Path


async def waits(run, message):
    async with run.tool("wait", {"for": message}) as tool:
        while not Path(message).exists():
            await asyncio.sleep(0.005)
        tool.results = {"waited": True}
    return "I waited."


def wait(path):
    while not path.exists():
        time.sleep(0.005)


async def works_in_a_thread(run, message):
    async with run.tool("work", {"for": message}) as tool:
        await asyncio.to_thread(wait, Path(message))
        tool.results = {"worked": True}
    return "I worked."


async def fails(run, message):
    async with run.tool("fail", {}):
        raise RuntimeError("secret detail")
"""


@pytest.fixture
def agents(tmp_path: Path) -> SimpleNamespace:
    """A module of a user in a folder of its own, and a folder elsewhere."""
    folder, elsewhere = tmp_path / "agents", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "my_agents.py").write_text(AGENTS)
    return SimpleNamespace(folder=folder, elsewhere=elsewhere)


@pytest.mark.parametrize(("agent", "from_path"), [("waits", False), ("works_in_a_thread", True)])
async def test_tool_executing_arrives_while_the_tool_works(
    agent: str, from_path: bool, serve: Serve, agents: SimpleNamespace, tmp_path: Path
) -> None:
    """It works until its beginning has arrived, and so it could not end before."""
    where: dict[str, Any] = {"cwd": agents.folder}
    if from_path:
        where = {"cwd": agents.elsewhere, "env": python_path(agents.folder)}
    server = serve("--agent", f"my_agents:{agent}", "--demo-users", "1", **where)
    login = await log_in(server.auth, server.users[0])
    arrived = tmp_path / "arrived"
    async with dial(server.backend, login.token) as socket:
        await read_until(socket, "connection_ready")
        await say(socket, {"type": "user_message", "content": str(arrived)})
        run = await read_until(socket, "tool_executing")
        arrived.touch()
        run += await read_until(socket, "agent_completed")
    assert plain_client.run_fault(run) is None
    (completed,) = (frame for frame in run if frame.message["type"] == "tool_completed")
    assert completed.message["payload"]["success"] is True
    assert {frame.message["agent_name"] for frame in run} == {agent}


async def test_a_tool_that_raises_is_told_without_its_words(
    serve: Serve, agents: SimpleNamespace
) -> None:
    server = serve("--agent", "my_agents:fails", "--demo-users", "1", cwd=agents.folder)
    session = await converse(server.backend, await log_in(server.auth, server.users[0]), "go")
    assert plain_client.run_fault(session.frames[1:-1]) is None
    assert session.first("tool_completed").message["payload"]["success"] is False
    assert session.first("agent_completed").message["payload"]["status"] == "failed"
    assert "secret detail" not in json.dumps([frame.text for frame in session.frames])
    assert "secret detail" in server.stderr()


async def test_an_agent_plugs_into_a_revision_as_well(
    serve: Serve, agents: SimpleNamespace
) -> None:
    server = serve(
        "--revision", "before", "--agent", "my_agents:fails", "--demo-users", "1", cwd=agents.folder
    )
    session = await converse(server.backend, await log_in(server.auth, server.users[0]), "go")
    assert session.first("agent_completed").message["payload"]["status"] == "failed"


def test_the_client_of_these_tests_owes_nothing_to_the_package() -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(Path(plain_client.__file__).read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
        )
    }
    assert imported - sys.stdlib_module_names == {"limits", "websockets"}
