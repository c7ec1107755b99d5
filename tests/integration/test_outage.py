"""What the outage looks like from outside: what is said, what is not, and what stays green.

That each session dies, and why, is in the files of the test execution plan; `netra-ws verify`
runs them on both sides of the fix.
"""

from __future__ import annotations

import asyncio
import re

import plain_client
import pytest
from limits import HANG_S
from plain_client import PROBLEM, dial, request

from netra_incident.history.deployment import Deployment

# What the client is told, and what it is not


@pytest.mark.parametrize("path", plain_client.ENDPOINTS)
async def test_an_answer_names_no_internals(
    path: str, buggy: Deployment, fixed: Deployment
) -> None:
    """Fails if the boundary passes on what the exception says."""
    for services in (buggy, fixed):
        answer = await request(services.backend + path)
        said = (answer.body.decode() + str(answer.headers)).casefold()
        for internal in ("traceback", "typeerror", "websocketmanager", "netra_ws", ".py", "await"):
            assert internal not in said


async def test_the_refusal_is_a_problem_by_the_book(buggy: Deployment) -> None:
    """Fails if the boundary answers something that is not RFC 9457."""
    for path in plain_client.ENDPOINTS:
        answer = await request(buggy.backend + path)
        body = answer.json()
        assert (answer.content_type, body["status"]) == (PROBLEM, answer.status)
        assert {"type", "title", "detail"} <= set(body)


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


async def test_twenty_handshakes_at_once_succeed(either: Deployment) -> None:
    """Fails if the error rises inside the handshake, as it would in a request hook."""
    logins = await plain_client.log_in_all(either)
    async with asyncio.timeout(HANG_S):
        sessions = await asyncio.gather(
            *(plain_client.converse(either.backend, login, "hello") for login in logins)
        )
    assert [session.status for session in sessions] == [101] * 20


async def test_a_bad_token_is_refused_before_the_upgrade(either: Deployment) -> None:
    """Fails if anybody is let in, or if the route runs before the token is checked."""
    answer = await plain_client.refusal(either.backend, "not-a-token")
    assert (answer.status, answer.content_type) == (401, PROBLEM)


async def test_paths_without_a_manager_work(either: Deployment) -> None:
    """Fails if the process itself is broken, and not only the four sites."""
    assert (await request(f"{either.backend}/metrics")).status == 200
    async with dial(either.backend, None, "/ws/test") as socket:
        await socket.send("as sent")
        async with asyncio.timeout(HANG_S):
            assert await socket.recv() == "as sent"
