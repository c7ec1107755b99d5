"""The incident, from outside: what fails on `buggy`, why, and what does not.

Every `fail_to_pass` test here is run twice: on the deployment under test, where it must pass, and
on `buggy`, where it must fail for the reason that stands beside it.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import plain_client
import pytest
from plain_client import COMPLETE, PROBLEM, dial, log_in, request, run_sessions, tally
from processes import Serve, clean_environment

from netra_ws.incident.checkout import checkout
from netra_ws.incident.deployment import Deployment

Proof = Callable[[Deployment], Awaitable[None]]

ROUTES = "netra_ws/routes/websocket_ssot.py"
AWAITED = "await get_websocket_manager("
SITES = {
    "create_websocket_manager_ssot": "/ws",
    "websocket_health_check": "/ws/health",
    "websocket_config": "/ws/config",
    "websocket_stats": "/ws/stats",
}

FAIL_TO_PASS: list[tuple[Proof, str]] = []


def fails_on_buggy(reason: str) -> Callable[[Proof], Proof]:
    """Mark a test as `fail_to_pass`; `reason` matches the words with which it fails on `buggy`."""

    def mark(proof: Proof) -> Proof:
        FAIL_TO_PASS.append((proof, reason))
        return pytest.mark.fail_to_pass(proof)

    return mark


@fails_on_buggy(r"^100 of 100 sessions: 101, then close 1011 with reason '' after 0 messages\n")
async def test_a_hundred_of_a_hundred_sessions_are_complete(deployment: Deployment) -> None:
    sessions = await run_sessions(deployment, batches=5)
    assert tally(sessions) == f"100 of 100 sessions: {COMPLETE}", tally(sessions) + "\n"


async def endpoint_works(deployment: Deployment, path: str) -> None:
    outcome = await plain_client.endpoint_outcome(deployment.backend, path)
    assert outcome == COMPLETE, outcome


@fails_on_buggy(rf"^/ws/health: 500 {re.escape(PROBLEM)}\b")
async def test_health_answers(deployment: Deployment) -> None:
    await endpoint_works(deployment, "/ws/health")


@fails_on_buggy(rf"^/ws/config: 500 {re.escape(PROBLEM)}\b")
async def test_configuration_answers(deployment: Deployment) -> None:
    await endpoint_works(deployment, "/ws/config")


@fails_on_buggy(rf"^/ws/stats: 500 {re.escape(PROBLEM)}\b")
async def test_statistics_answer(deployment: Deployment) -> None:
    await endpoint_works(deployment, "/ws/stats")


def logged(site: str, line: str) -> str:
    """Return the regular expression of one failure in the log."""
    return rf"{site}: TypeError at {ROUTES}:\d+: {re.escape(line)}; "


@fails_on_buggy(
    "^"
    + logged("create_websocket_manager_ssot", "return await get_websocket_manager(user_context)")
    + logged("websocket_health_check", "manager = await get_websocket_manager(user_context)")
    + logged("websocket_config", "manager = await get_websocket_manager(user_context)")
    + logged("websocket_stats", "manager = await get_websocket_manager(user_context)")
)
async def test_no_route_fails(deployment: Deployment) -> None:
    """The log has no route that raised, after each has been asked."""
    login = await log_in(deployment.auth, deployment.users[0])
    await plain_client.converse(deployment.backend, login, "hello")
    for path in plain_client.ENDPOINTS:
        await request(deployment.backend + path)
    failures = deployment.failures().values()
    by_line = sorted(failures, key=lambda failure: int(failure["where"].rpartition(":")[2]))
    words = "".join(
        f"{failure['function']}: {failure['type']} at {failure['where']}: {failure['line']}; "
        for failure in by_line
    )
    assert not failures, words


@pytest.mark.pass_to_pass
@pytest.mark.parametrize(
    ("proof", "reason"),
    [pytest.param(proof, reason, id=proof.__name__) for proof, reason in FAIL_TO_PASS],
)
async def test_it_fails_on_buggy_for_its_reason(
    proof: Proof, reason: str, buggy: Deployment
) -> None:
    """Guards the tests above: fails if one of them would pass without the fix."""
    with pytest.raises(AssertionError, match=reason):
        await proof(buggy)


@pytest.mark.pass_to_pass
def test_every_test_that_the_fix_turns_green_is_judged_on_buggy() -> None:
    """Guards the list: fails if a test carries the mark without a reason."""
    marked = {
        value
        for name, value in globals().items()
        if name.startswith("test_")
        and any(mark.name == "fail_to_pass" for mark in getattr(value, "pytestmark", ()))
    }
    assert marked == {proof for proof, _ in FAIL_TO_PASS}


# An attempt that mends only some of the sites


def mend(tree: Path, *sites: str) -> None:
    """Take the `await` away at these sites of a checkout of `buggy`."""
    path = tree / ROUTES
    first, *rest = path.read_text().split(AWAITED)
    assert len(rest) == len(SITES)
    for site, text in zip(SITES, rest, strict=True):
        first += (AWAITED if site not in sites else AWAITED.removeprefix("await ")) + text
    path.write_text(first)


@pytest.mark.pass_to_pass
@pytest.mark.parametrize("forgotten", SITES)
async def test_an_attempt_that_forgets_one_site_is_caught(
    forgotten: str, serve: Serve, tmp_path: Path
) -> None:
    """Guards the tests above: fails if one site could be left as it was and nobody would see.

    Each incomplete fix leaves at least one site, and each site alone is seen here.
    """
    tree = tmp_path / "attempt"
    checkout("buggy", tree)
    mend(tree, *(site for site in SITES if site != forgotten))
    server = serve("--tree", tree, "--demo-users", "1")
    broken = {
        path
        for path in plain_client.ENDPOINTS
        if await plain_client.endpoint_outcome(server.backend, path) != COMPLETE
    }
    if tally(await run_sessions(server, batches=1)) != f"1 of 1 sessions: {COMPLETE}":
        broken.add("/ws")
    assert broken == {SITES[forgotten]}
    (line,) = (line for line in server.log() if line["event"] == "route failed")
    assert line["error"]["function"] == forgotten
    assert AWAITED in line["error"]["line"]


# What the client is told, and what it is not


@pytest.mark.pass_to_pass
@pytest.mark.parametrize("path", plain_client.ENDPOINTS)
async def test_an_answer_names_no_internals(
    path: str, buggy: Deployment, deployment: Deployment
) -> None:
    """Fails if the boundary passes on what the exception says."""
    for services in (buggy, deployment):
        answer = await request(services.backend + path)
        said = (answer.body.decode() + str(answer.headers)).casefold()
        for internal in ("traceback", "typeerror", "websocketmanager", "netra_ws", ".py", "await"):
            assert internal not in said


@pytest.mark.pass_to_pass
async def test_the_refusal_is_a_problem_by_the_book(buggy: Deployment) -> None:
    """Fails if the boundary answers something that is not RFC 9457."""
    for path in plain_client.ENDPOINTS:
        answer = await request(buggy.backend + path)
        body = answer.json()
        assert (answer.content_type, body["status"]) == (PROBLEM, answer.status)
        assert {"type", "title", "detail"} <= set(body)


@pytest.mark.pass_to_pass
async def test_the_log_shows_the_commit_and_never_the_label(buggy: Deployment) -> None:
    """Fails if operators are told which revision is the broken one."""
    await request(buggy.backend + "/ws/health")
    lines = buggy.log()
    assert all("buggy" not in str(line) for line in lines)
    commits = {line["commit"] for line in lines if line["event"] in {"listening", "route failed"}}
    (commit,) = commits
    assert re.fullmatch("[0-9a-f]{40}", commit)


# What stays green all through the outage


@pytest.fixture(params=["buggy", "fixed"])
def either(request: pytest.FixtureRequest) -> Deployment:
    """Both sides of the fix."""
    return request.getfixturevalue(request.param)


@pytest.mark.pass_to_pass
async def test_twenty_handshakes_at_once_succeed(either: Deployment) -> None:
    """Fails if the error rises inside the handshake, as it would in a request hook."""
    logins = await plain_client.log_in_all(either)
    async with asyncio.timeout(plain_client.BATCH_TIMEOUT_S):
        sessions = await asyncio.gather(
            *(plain_client.converse(either.backend, login, "hello") for login in logins)
        )
    assert [session.status for session in sessions] == [101] * 20


@pytest.mark.pass_to_pass
async def test_a_bad_token_is_refused_before_the_upgrade(either: Deployment) -> None:
    """Fails if anybody is let in, or if the route runs before the token is checked."""
    answer = await plain_client.refusal(either.backend, "not-a-token")
    assert (answer.status, answer.content_type) == (401, PROBLEM)


@pytest.mark.pass_to_pass
async def test_paths_without_a_manager_work(either: Deployment) -> None:
    """Fails if the process itself is broken, and not only the four sites."""
    assert (await request(f"{either.backend}/metrics")).status == 200
    async with dial(either.backend, None, "/ws/test") as socket:
        await socket.send("as sent")
        async with asyncio.timeout(plain_client.TIMEOUT_S):
            assert await socket.recv() == "as sent"


DIRECT_USE = """
import inspect
from netra_ws import ManagerRegistry, UserExecutionContext, WebSocketManager, install_registry
from netra_ws.manager import get_websocket_manager

install_registry(ManagerRegistry())
manager = get_websocket_manager(UserExecutionContext("ada"))
assert isinstance(manager, WebSocketManager), f"got a {type(manager).__name__}"
assert not inspect.iscoroutinefunction(get_websocket_manager)
"""


@pytest.mark.pass_to_pass
@pytest.mark.parametrize(
    ("revision", "words"), [("buggy", ""), ("fixed", ""), ("before", "got a coroutine")]
)
def test_the_factory_itself_returns_a_manager(
    revision: str, words: str, trees: dict[str, Path]
) -> None:
    """Fails on `before`, where the factory is a coroutine function: its colour is the cause."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", DIRECT_USE],
        env=clean_environment() | {"PYTHONPATH": str(trees[revision])},
        capture_output=True,
        text=True,
        timeout=plain_client.TIMEOUT_S,
    )
    assert (done.returncode == 0) is not bool(words), done.stderr
    assert words in done.stderr
