"""What must work whatever else fails; also a script: exit code 0 if it does, 1 if not.

Options of pytest may follow the name of the script, such as `--revision buggy`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # as pytest does; a script has to

from observer import Observer
from plain_client import COMPLETE, PAYLOADS, dial, outcome, read_until, run_fault, say, tally
from reasons import CLOSED, dies, raised_in

EVERYBODY_DIES = raised_in("create_websocket_manager_ssot", rf"100 of 100 sessions: {CLOSED}")


@pytest.mark.fail_to_pass(reason=EVERYBODY_DIES)
async def test_a_hundred_of_a_hundred_sessions_are_complete(observer: Observer) -> None:
    """The Wilson 95 % interval of 100 of 100 begins at 96.3 %: above the 95 % of the plan."""
    sessions = await observer.sessions(batches=5)
    assert tally(sessions) == f"100 of 100 sessions: {COMPLETE}", tally(sessions)


@pytest.mark.fail_to_pass(reason=dies())
async def test_the_five_events_come_in_the_order_of_a_run(observer: Observer) -> None:
    session = await observer.session()
    assert session.types()[1:-1] == list(PAYLOADS), outcome(session)


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_user_who_reconnects_gets_what_was_missed(observer: Observer) -> None:
    """The position of the second event seen: exactly the later ones come again."""
    session = await observer.session()
    assert outcome(session) == COMPLETE, outcome(session)
    events = session.frames[1:-1]
    seen = events[1].message
    login = await observer.log_in()
    path = f"/ws?epoch={seen['epoch']}&seq={seen['seq']}"
    async with dial(observer.services.backend, login.token, path) as socket:
        ready, *missed = await read_until(socket, "agent_completed")
    assert ready.message["payload"]["recovered"] is True
    assert [frame.text for frame in missed] == [frame.text for frame in events[2:]]


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_broken_message_does_not_end_a_session(observer: Observer) -> None:
    session = await observer.session()
    assert outcome(session) == COMPLETE, outcome(session)
    login = await observer.log_in()
    async with dial(observer.services.backend, login.token) as socket:
        await socket.send("{broken")
        await read_until(socket, "error")
        await say(socket, {"type": "user_message", "content": "still there"})
        assert run_fault(await read_until(socket, "agent_completed")) is None


@pytest.mark.fail_to_pass(
    reason=raised_in("websocket_health_check", r"\['/ws/health: 500 .*/ws/config: 500 .*")
)
async def test_every_endpoint_answers(observer: Observer) -> None:
    answers = await observer.endpoints()
    assert answers == [COMPLETE] * 3, str(answers)


if __name__ == "__main__":
    sys.exit(0 if pytest.main([__file__, "-v", *sys.argv[1:]]) == 0 else 1)
