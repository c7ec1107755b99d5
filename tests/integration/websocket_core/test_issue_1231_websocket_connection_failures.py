"""Category 2 of the plan: what the bug does to real connections.

A real server in a process of its own, a client that shares no code with it, loopback between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import plain_client
import pytest
from limits import HANG_S
from observer import Observer, Record
from plain_client import COMPLETE, PAYLOADS, dial, outcome, read_until, request, say, tally
from reasons import CLOSED, answers_500, dies, raised_in

from netra_incident.history.deployment import deploy

EVERYBODY_DIES = raised_in("create_websocket_manager_ssot", rf"20 of 20 sessions: {CLOSED}")

# Establishing a connection


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_connection_is_established_and_greeted(observer: Observer) -> None:
    """101 is not enough: the server's first message has to come."""
    session = await observer.session()
    assert session.status == 101
    assert session.types()[:1] == ["connection_ready"], outcome(session)


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_connection_ends_when_its_client_ends_it(observer: Observer) -> None:
    session = await observer.session()
    assert (session.code, session.reason) == (1000, ""), outcome(session)


# The factory, behind the socket


@pytest.mark.fail_to_pass(reason=dies())
async def test_two_tabs_of_a_user_share_one_manager(observer: Observer) -> None:
    first = await observer.session()
    assert outcome(first) == COMPLETE, outcome(first)
    login = await observer.log_in()
    backend = observer.services.backend
    async with dial(backend, login.token) as one, dial(backend, login.token) as two:
        for socket in (one, two):
            await read_until(socket, "connection_ready")
        await say(one, {"type": "user_message", "content": "hello"})
        left, right = [await read_until(socket, "agent_completed") for socket in (one, two)]
    assert [frame.text for frame in left] == [frame.text for frame in right]


@pytest.mark.fail_to_pass(reason=answers_500("/ws/stats", "websocket_stats"))
async def test_the_statistics_count_the_users_of_the_factory(observer: Observer) -> None:
    session = await observer.session()
    answer = await observer.endpoint("/ws/stats")
    assert answer == COMPLETE, answer
    assert outcome(session) == COMPLETE
    statistics = (await request(f"{observer.services.backend}/ws/stats")).json()
    assert statistics["users"] >= 1
    assert statistics["events"] >= len(PAYLOADS)


# Events


@pytest.mark.parametrize(
    "event_type",
    [pytest.param(name, marks=pytest.mark.fail_to_pass(reason=dies())) for name in PAYLOADS],
)
async def test_an_event_of_this_type_arrives(observer: Observer, event_type: str) -> None:
    session = await observer.session()
    assert event_type in session.types(), outcome(session)
    assert set(session.first(event_type).message["payload"]) == PAYLOADS[event_type]


@pytest.mark.fail_to_pass(reason=dies())
async def test_the_events_of_a_run_are_all_there_and_in_order(observer: Observer) -> None:
    """Order, count and digest."""
    session = await observer.session(content="import asyncio\nawait asyncio.sleep(0)\n")
    assert outcome(session) == COMPLETE, outcome(session)


# Isolation


@pytest.mark.fail_to_pass(reason=EVERYBODY_DIES)
async def test_users_at_once_get_only_what_is_theirs(observer: Observer) -> None:
    """Each must have got something: nobody sees others' events where there are none."""
    sessions = await observer.sessions()
    assert tally(sessions) == f"20 of 20 sessions: {COMPLETE}", tally(sessions)
    owners = {
        (session.user_id, frame.message["user_id"])
        for session in sessions
        for frame in session.frames
        if "user_id" in frame.message
    }
    assert owners == {(session.user_id, session.user_id) for session in sessions}


# Health monitoring


@pytest.mark.fail_to_pass(reason=answers_500("/ws/health", "websocket_health_check"))
async def test_health_is_what_the_sessions_are(observer: Observer) -> None:
    """A monitor that asks health sees it; one that counts handshakes does not."""
    session = await observer.session()
    assert session.status == 101
    answer = await observer.endpoint("/ws/health")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(
    reason=raised_in("websocket_stats", r"\['/ws/health: 500 .*/ws/config: 500 .*/ws/stats: 500 ")
)
async def test_all_that_monitors_ask_is_answered(observer: Observer) -> None:
    answers = await observer.endpoints()
    assert answers == [COMPLETE] * 3, str(answers)


# Everybody at once


@pytest.fixture
def newcomer(record_property: Record) -> Iterator[Observer]:
    """A client of a deployment that nobody has used."""
    with deploy(users=1) as deployment:
        observer = Observer(deployment, record_property)
        yield observer
        observer.close()


@pytest.mark.fail_to_pass(reason=EVERYBODY_DIES)
async def test_twenty_users_who_arrive_at_the_same_moment_are_all_served(
    observer: Observer,
) -> None:
    """All connect before anybody asks, and nobody leaves before all are answered."""
    sessions = await observer.sessions()
    assert tally(sessions) == f"20 of 20 sessions: {COMPLETE}", tally(sessions)


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_users_first_connections_at_the_same_moment_share_one_log(
    newcomer: Observer,
) -> None:
    """The factory is asked by all of them before the user has a manager."""
    login = await newcomer.log_in()
    gate = asyncio.Barrier(3)
    async with asyncio.timeout(HANG_S):
        sessions = await asyncio.gather(
            *(plain_client.converse(newcomer.services.backend, login, "", gate) for _ in range(3))
        )
    for session in sessions:
        assert session.types()[:1] == ["connection_ready"], outcome(session)
    first = [session.frames[0].message["payload"] for session in sessions]
    assert len({ready["epoch"] for ready in first}) == 1
    assert [ready["seq"] for ready in first] == [0, 0, 0]
