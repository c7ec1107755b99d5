"""The golden path as `probe` walks it: it holds, or a step is named, and it comes to an end."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from proxy import Change, address_of, change_of, proxied, ready_with, resumed
from websockets.asyncio.server import ServerConnection, serve

from netra_incident.case import told_case
from netra_incident.history.control import leaky_tree
from netra_incident.history.deployment import Deployment, deploy
from netra_incident.probe import (
    Limits,
    ProbeResult,
    Step,
    plain,
    probe,
)
from netra_ws.auth.users import DemoUser
from netra_ws.client import CLOSE_TIMEOUT_S, channel
from netra_ws.errors import ConfigurationError
from netra_ws.wire.urls import service_url

STEPS = (
    "log in",
    "connect",
    "first event",
    "five events",
    "digest",
    "endpoints",
    "isolation",
    "reconnect",
    "whole path",
)
SHORT_S = 1.0
"""For steps that are expected to hang: a hundred times what comes before that."""

IN_TIME = f"within {SHORT_S:g} s"


def states(result: ProbeResult) -> dict[str, bool | None]:
    return {step.name: step.ok for step in result.steps}


def detail(result: ProbeResult, name: str) -> str:
    return next(step.detail for step in result.steps if step.name == name)


def only(*failed: str, tried: tuple[str, ...] = STEPS) -> dict[str, bool | None]:
    """Return the states of a path on which these steps failed, and no others were not tried."""
    return {name: None if name not in tried else name not in failed for name in STEPS}


async def probed(deployment: Deployment, backend: str | None = None, **options: Any) -> ProbeResult:
    backend = backend or deployment.backend
    return await probe(backend, deployment.auth, deployment.users, **options)


# What is not the contract


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a port that takes connections and says nothing."""
    gone = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        yield address_of(server)
        gone.set()


async def test_a_silent_backend_hangs_at_connect(fixed: Deployment, silent: str) -> None:
    limits = Limits(connect_s=SHORT_S, endpoints_s=SHORT_S)
    result = await probed(fixed, silent, limits=limits)
    assert states(result) == only("connect", "endpoints", tried=("log in", "connect", "endpoints"))
    assert detail(result, "connect") == f"expected 101 {IN_TIME}, it did not come"
    assert f"answer of /ws/health, /ws/config, /ws/stats {IN_TIME}" in detail(result, "endpoints")


async def test_a_silent_login_service_hangs_at_log_in(fixed: Deployment, silent: str) -> None:
    limits = Limits(log_in_s=SHORT_S)
    result = await probe(fixed.backend, silent, fixed.users, limits=limits)
    assert states(result) == only("log in", tried=("log in", "endpoints"))
    email = fixed.users[0].email
    said = f"expected a login of {email} {IN_TIME}, it did not come"
    assert detail(result, "log in") == said
    assert detail(result, "reconnect") == "not tried: log in failed"


async def test_the_whole_path_is_bounded(fixed: Deployment, silent: str) -> None:
    result = await probe(silent, silent, fixed.users, limits=Limits(whole_path_s=SHORT_S))
    assert states(result) == only("log in", "whole path", tried=("log in", "whole path"))
    said = f"within the {SHORT_S:g} s of the whole path, it did not come"
    assert detail(result, "log in").endswith(said)
    assert detail(result, "whole path") == f"expected all steps {IN_TIME}, got to log in"
    assert detail(result, "endpoints") == "not tried: whole path failed"


def test_the_limits_of_the_steps_fit_into_that_of_the_whole_path() -> None:
    limits = asdict(Limits())
    whole = limits.pop("whole_path_s")
    closing = 4 * CLOSE_TIMEOUT_S  # connect, two of isolation, reconnect
    assert sum(limits.values()) + closing < whole == 60


async def test_nobody_listens(fixed: Deployment) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nowhere = "http://{}:{}".format(*nobody.getsockname())
        result = await probed(fixed, nowhere)
        assert states(result) == only(
            "connect", "endpoints", tried=("log in", "connect", "endpoints")
        )
        assert "got no answer (ConnectionRefusedError)" in detail(result, "connect")
        assert "/ws/stats no answer (ClientConnectorError)" in detail(result, "endpoints")
        result = await probe(fixed.backend, nowhere, fixed.users)
    assert states(result) == only("log in", tried=("log in", "endpoints"))
    assert "did not answer (ClientConnectorError)" in detail(result, "log in")


async def test_a_name_without_an_address(fixed: Deployment) -> None:
    result = await probe("http://a..b", "http://a..b", fixed.users)
    assert states(result) == only("log in", "endpoints", tried=("log in", "endpoints"))
    result = await probed(fixed, "http://a..b")
    assert result.failed == ["connect", "endpoints"]


async def test_a_wrong_password(fixed: Deployment) -> None:
    first, second = fixed.users[:2]
    users = [first, DemoUser(second.email, "not this one")]
    result = await probe(fixed.backend, fixed.auth, users)
    assert states(result) == only("log in", tried=("log in", "endpoints"))
    said = detail(result, "log in")
    assert said.startswith(f"{second.email}: ")
    assert "answered 401, expected 200; check email and password" in said
    assert "not this one" not in said


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
NOT_AN_OBJECT = "/ws/stats 200 without a JSON object"
GARBAGE = {
    "no HTTP": (b"\x00\xff\r\n\r\n", "/ws/stats no answer (ClientResponseError)"),
    "no answer": (b"", "/ws/stats no answer (ServerDisconnectedError)"),
    "half an answer": (HEAD % 100 + b"{", "/ws/stats no answer (ClientPayloadError)"),
    "no JSON": (HEAD % 5 + b"{nope", NOT_AN_OBJECT),
    "no UTF-8": (HEAD % 7 + b'{"\xff":1}', NOT_AN_OBJECT),
    "JSON without an end": (HEAD % 20_000 + b'{"x":' * 4000, NOT_AN_OBJECT),
}


@pytest.mark.parametrize(("answer", "said"), GARBAGE.values(), ids=list(GARBAGE))
async def test_garbage_is_a_failed_step(fixed: Deployment, answer: bytes, said: str) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        url = address_of(server)
        result = await probed(fixed, url)
        assert states(result) == only(
            "connect", "endpoints", tried=("log in", "connect", "endpoints")
        )
        assert detail(result, "endpoints").endswith(said)
        result = await probe(fixed.backend, url, fixed.users)
    assert states(result) == only("log in", tried=("log in", "endpoints"))


async def test_who_does_not_even_close_holds_nothing_up(
    fixed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "CLOSE_TIMEOUT_S", SHORT_S)
    gone = asyncio.Event()

    async def stall(socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await gone.wait()
        socket.transport.abort()

    async with serve(stall, "127.0.0.1", 0) as server:
        limits = Limits(connect_s=SHORT_S)
        result = await probed(fixed, address_of(server), limits=limits)
        gone.set()
    step = result.steps[1]
    assert step.detail == f"expected connection_ready after 101 {IN_TIME}, it did not come"


# A deployment that nearly keeps the contract


async def test_behind_a_proxy_that_changes_nothing_the_path_holds(fixed: Deployment) -> None:
    async with proxied(fixed) as backend:
        result = await probed(fixed, backend)
    assert result.ok, result.steps


def shortened(step: str, said: str) -> Limits:
    """Return short limits for a step that is expected to hang, and the usual ones otherwise."""
    return Limits(**{f"{step.replace(' ', '_')}_s": SHORT_S}) if IN_TIME in said else Limits()


WRONG = {
    "no JSON": (change_of("connection_ready", "{nope"), "connect", "expected JSON, got something"),
    "JSON of something else": (
        change_of("connection_ready", "[]"),
        "connect",
        "expected a message of",
    ),
    "bytes that are no text": (change_of("connection_ready", b"\xff"), "connect", "close code"),
    "an event before connection_ready": (
        change_of("connection_ready", '{"type":"pong","timestamp":"","payload":{}}'),
        "connect",
        "expected connection_ready, got Pong",
    ),
    "no connection_ready": (
        change_of("connection_ready"),
        "connect",
        f"expected connection_ready after 101 {IN_TIME}",
    ),
    "the message refused": (
        change_of(
            "agent_started",
            {"type": "error", "payload": {"code": "too_many", "message": "wait\x1b[2J"}},
        ),
        "first event",
        "too_many: wait\N{REPLACEMENT CHARACTER}[2J",
    ),
    "the first event lost": (change_of("agent_started"), "first event", "expected event"),
    "the last event lost": (
        change_of("agent_completed"),
        "five events",
        "expected an end of the run after agent_started, agent_thinking, tool_executing, "
        f"tool_completed {IN_TIME}",
    ),
    "another order": (
        change_of("agent_thinking", {"type": "agent_started", "payload": {"message": ""}}),
        "five events",
        "expected agent_thinking or tool_executing or agent_completed, got agent_started",
    ),
    "a tool call that does not pair": (
        change_of(
            "tool_completed",
            {
                "payload": {
                    "tool_call_id": "call-2",
                    "tool_name": "",
                    "results": 1,
                    "success": True,
                    "duration_ms": 1,
                }
            },
        ),
        "five events",
        "got tool_completed of call-2",
    ),
    "an event of somebody else that passes for a duplicate": (
        change_of("agent_thinking", ..., {"user_id": "eve"}),
        "five events",
        "got agent_thinking of eve",
    ),
    "another text": (
        change_of("agent_thinking", {"payload": {"reasoning": "No.", "step": 1}}),
        "digest",
        "expected the digest in agent_completed, got another",
    ),
}


@pytest.mark.parametrize(("change", "step", "said"), WRONG.values(), ids=list(WRONG))
async def test_the_step_that_is_wrong_is_named(
    fixed: Deployment, change: Change, step: str, said: str
) -> None:
    limits = shortened(step, said)
    async with proxied(fixed, change) as backend:
        result = await probed(fixed, backend, limits=limits)
    assert said in detail(result, step)
    rest = dict.fromkeys(STEPS[STEPS.index(step) + 1 :]) | {"endpoints": True}
    if step == "digest":
        rest["isolation"] = True
    assert states(result) == dict.fromkeys(STEPS, True) | {step: False} | rest
    for name in ("reconnect", "whole path"):
        assert detail(result, name) == f"not tried: {step} failed"


AGENTS = """
async def thinks(run, message):
    await run.thinking("I have no tool.")
    return "Done."


async def fails(run, message):
    await run.thinking("I will try.")
    async with run.tool("try", {}):
        raise RuntimeError
"""


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (
            "thinks",
            "expected all of agent_started, agent_thinking, tool_executing, tool_completed, "
            "agent_completed; got agent_started, agent_thinking, agent_completed",
        ),
        ("fails", "expected a run with status completed, got failed"),
    ],
)
async def test_a_run_has_all_five_types_and_completes(
    agent: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agents_of_a_probe.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    with deploy(None, "--agent", f"agents_of_a_probe:{agent}", users=2) as deployment:
        result = await probed(deployment)
    assert result.failed == ["five events"]
    assert detail(result, "five events") == said


def answers(**statuses: tuple[int, bytes]) -> Callable[[str], tuple[int, bytes]]:
    return lambda path: statuses.get(path.rpartition("/")[2], (200, b"{}"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            answers(health=(503, b"{}"), stats=(302, b"")),
            "/ws/health 503, /ws/config 200, /ws/stats 302",
        ),
        (
            answers(config=(200, b"<!doctype html>")),
            "/ws/health 200, /ws/config 200 without a JSON object, /ws/stats 200",
        ),
        (
            answers(stats=(200, b"[]")),
            "/ws/health 200, /ws/config 200, /ws/stats 200 without a JSON object",
        ),
    ],
)
async def test_every_endpoint_answers_200_with_an_object(
    fixed: Deployment, answer: Callable[[str], tuple[int, bytes]], said: str
) -> None:
    async with proxied(fixed, answer=answer) as backend:
        result = await probed(fixed, backend)
    assert states(result) == only("endpoints", tried=STEPS[:-1])
    assert detail(result, "endpoints").endswith(f"from each endpoint, got {said}")


async def test_one_log_for_all_users_is_a_breach_of_isolation() -> None:
    """On it everything else holds: whoever is alone sees nothing of it."""
    with leaky_tree(told_case()) as tree, deploy(tree=tree, users=2) as leaky:
        result = await probed(leaky)
    assert states(result) == only("isolation", tried=STEPS[:-1])
    assert re.fullmatch(
        r"expected only events of user(\d), got agent_started of user(?!\1)\d",
        detail(result, "isolation"),
    )


async def test_both_users_of_the_isolation_step_saw_something(fixed: Deployment) -> None:
    result = await probed(fixed)
    said = "user1 saw 10 and user2 saw 10 events, all of them their own"
    assert detail(result, "isolation") == said


async def test_two_logins_of_one_user_prove_no_isolation(fixed: Deployment) -> None:
    result = await probe(fixed.backend, fixed.auth, [fixed.users[0]] * 2)
    assert states(result) == only("log in", tried=("log in", "endpoints"))
    said = "expected two different users, got user1 for both logins"
    assert detail(result, "log in") == said


LOST: dict[str, tuple[dict[str, Any], str]] = {
    "the position": (
        {"path": lambda path: path.partition("?")[0]},
        "got recovered None, lost 0",
    ),
    "some events": ({"change": ready_with(recovered=False, lost=3)}, "got recovered False, lost 3"),
    "some events in silence": (
        {"change": ready_with(seq=10**6)},
        "got recovered True, lost 0, after 1000000",
    ),
    "the log": ({"change": ready_with(epoch="new")}, "got recovered True"),
    "one event": ({"change": resumed(change_of("tool_executing"))}, "expected event"),
    "the end": (
        {"change": resumed(change_of("agent_completed"))},
        f"expected the events that were missed {IN_TIME}",
    ),
    "a word": (
        {"change": resumed(change_of("agent_thinking", {"payload": {"reasoning": "", "step": 1}}))},
        "expected the digest",
    ),
}


@pytest.mark.parametrize(("proxy", "said"), LOST.values(), ids=list(LOST))
async def test_what_is_lost_by_a_reconnect_is_said(
    fixed: Deployment, proxy: dict[str, Any], said: str
) -> None:
    async with proxied(fixed, **proxy) as backend:
        result = await probed(fixed, backend, limits=shortened("reconnect", said))
    assert states(result) == only("reconnect", tried=STEPS[:-1])
    assert said in detail(result, "reconnect")


async def test_the_missed_events_arrive_after_a_connection_was_dropped(fixed: Deployment) -> None:
    codes: list[int | None] = []
    async with proxied(fixed, closed=codes.append) as backend:
        result = await probed(fixed, backend)
    # connect, two of isolation, the one that was dropped, and the one after it
    assert sorted(codes) == [1000, 1000, 1000, 1000, 1006]
    said = "recovered, 4 missed events arrived, digest agrees"
    assert detail(result, "reconnect") == said


# What is shown


async def test_no_word_of_a_server_brings_a_token_out(fixed: Deployment) -> None:
    async def tell(socket: ServerConnection) -> None:
        assert socket.request is not None
        await socket.close(4000, socket.request.headers["Authorization"][:120])

    async def log_in(request: web.Request) -> web.Response:
        email = (await request.json())["email"]
        user = {"id": email, "email": email}
        token = {"access_token": f"no-jwt-{email}", "token_type": "Bearer", "expires_in": 60}
        return web.json_response(token | {"user": user})

    app = web.Application()
    app.router.add_post("/auth/login", log_in)
    async with serve(tell, "127.0.0.1", 0) as server, TestServer(app) as opaque:
        backend = address_of(server)
        for auth in (fixed.auth, str(opaque.make_url(""))):
            result = await probe(backend, auth, fixed.users)
            said = detail(result, "connect")
            assert said.endswith("close code 4000, reason 'Bearer [hidden]'")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password hunter2, hunter22", "password [hidden], [hidden]"),
        (repr("it's \\"), '"[hidden]"'),
        ("a\n b\tc \x1b[31m\u202e", "a b c \ufffd[31m\ufffd"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "Bearer [hidden]"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_a_detail_is_one_line_that_can_be_shown(text: str, shown: str) -> None:
    assert plain(text, ["hunter2", "hunter22", "it's \\", ""]) == shown


async def test_the_steps_are_told_as_they_are_taken(buggy: Deployment) -> None:
    told: list[Step] = []
    result = await probed(buggy, progress=told.append)
    assert tuple(told) == result.steps
    assert tuple(step.name for step in told) == STEPS
    assert (result.ok, result.failed) == (False, ["connect", "endpoints"])
    assert repr(result) == "golden path: 1 of 9 steps held; failed: connect, endpoints"


# Addresses


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://x", "http://x"),
        ("https://x:8443/", "https://x:8443"),
        ("HTTP://x/base//", "http://x/base"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_an_address_has_no_slash_at_its_end(given: str, address: str) -> None:
    assert service_url(given) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x:80",
        "ws://x",
        "file:///x",
        "http://",
        "http://:80",
        "http://x:0",
        "http://x:port",
        "http://x:65536",
        "http://[x",
        "http://x y",
        "http://x\n",
        "http://x\\y",
        "http://x\x7f",
    ],
)
def test_what_is_no_address_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected http:// or https://") as refused:
        service_url(text)
    assert str(refused.value).endswith(f"got {text!r}")


@pytest.mark.parametrize("text", ["http://ann:pw@x", "http://x?token=pw", "http://x#pw"])
def test_an_address_with_something_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        service_url(text)
    assert "pw" not in str(refused.value)


async def test_one_login_is_a_mistake_of_the_caller(fixed: Deployment) -> None:
    with pytest.raises(ConfigurationError, match="two logins or more, for isolation; got 1"):
        await probe(fixed.backend, fixed.auth, fixed.users[:1])
