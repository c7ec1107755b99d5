"""Category 3 of the plan: the golden path on staging, as a user goes it.

With `--staging`: on the addresses of STAGING_BASE_URL and STAGING_AUTH_URL, or, without them, on a
local staging deployment of the code under test, its two services in processes of their own.
"""

from __future__ import annotations

import pytest
from observer import Observer
from plain_client import COMPLETE, PAYLOADS, outcome, tally, token_subject
from reasons import CLOSED, answers_500, dies, raised_in

MESSAGE = "import asyncio\n\nasync def main():\n    await asyncio.sleep(0)\n"

# From the login to the answer


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_user_logs_in_connects_asks_and_is_answered(staging_observer: Observer) -> None:
    login = await staging_observer.log_in()
    session = await staging_observer.session(content=MESSAGE)
    assert outcome(session) == COMPLETE, outcome(session)
    users = {frame.message["user_id"] for frame in session.frames if "user_id" in frame.message}
    assert users == {login.user_id} == {token_subject(login.token)}


# Endpoints


@pytest.mark.fail_to_pass(reason=answers_500("/ws/health", "websocket_health_check"))
async def test_health_answers_on_staging(staging_observer: Observer) -> None:
    answer = await staging_observer.endpoint("/ws/health")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/config", "websocket_config"))
async def test_configuration_answers_on_staging(staging_observer: Observer) -> None:
    answer = await staging_observer.endpoint("/ws/config")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/stats", "websocket_stats"))
async def test_statistics_answer_on_staging(staging_observer: Observer) -> None:
    answer = await staging_observer.endpoint("/ws/stats")
    assert answer == COMPLETE, answer


# Close codes


@pytest.mark.fail_to_pass(reason=dies())
async def test_no_session_is_closed_with_1011(staging_observer: Observer) -> None:
    """Nor before the first message, nor with an empty reason for anything but a normal end."""
    session = await staging_observer.session()
    assert session.code == 1000, outcome(session)
    assert session.frames


# Isolation


@pytest.mark.fail_to_pass(reason=raised_in("create_websocket_manager_ssot", rf"sessions: {CLOSED}"))
async def test_users_of_staging_get_only_what_is_theirs(staging_observer: Observer) -> None:
    sessions = await staging_observer.sessions()
    assert len(sessions) >= 2, "isolation takes two users"
    owners = [
        {frame.message["user_id"] for frame in session.frames if "user_id" in frame.message}
        for session in sessions
    ]
    assert owners == [{session.user_id} for session in sessions], tally(sessions)


# Events


@pytest.mark.fail_to_pass(reason=dies())
async def test_staging_delivers_all_five_events(staging_observer: Observer) -> None:
    session = await staging_observer.session(content=MESSAGE)
    assert set(PAYLOADS) <= set(session.types()), outcome(session)
    assert outcome(session) == COMPLETE
