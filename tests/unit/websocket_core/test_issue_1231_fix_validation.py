"""Category 4 of the plan: what works again once the fix is applied.

The `pass_to_pass` tests use the factory directly, which works on `buggy` as well: its callers are
what was broken. They fail on `before`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import pytest
from observer import Observer
from plain_client import COMPLETE, PAYLOADS, log_in, outcome, tally
from reasons import CLOSED, answers_500, dies, raised_in

from netra_ws import (
    ManagerRegistry,
    UserExecutionContext,
    WebSocketManager,
    install_registry,
)
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.manager import remove_registry
from netra_ws.routes import websocket_ssot
from netra_ws.settings import Settings

Factory: TypeAlias = Callable[[UserExecutionContext], object]

# Managers are created


@pytest.mark.pass_to_pass(fails_on="before")
async def test_the_factory_creates_a_manager(factory: Factory, ada: UserExecutionContext) -> None:
    manager = factory(ada)
    assert isinstance(manager, WebSocketManager), f"got a {type(manager).__name__}"


@pytest.mark.fail_to_pass(reason=raised_in("create_websocket_manager_ssot", "^TypeError: "))
async def test_the_route_creates_a_manager(ada: UserExecutionContext) -> None:
    manager = await websocket_ssot.create_websocket_manager_ssot(ada)
    assert isinstance(manager, WebSocketManager)


# Endpoints


@pytest.mark.fail_to_pass(reason=answers_500("/ws/health", "websocket_health_check"))
async def test_the_health_endpoint_is_restored(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/health")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/config", "websocket_config"))
async def test_the_configuration_endpoint_is_restored(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/config")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/stats", "websocket_stats"))
async def test_the_statistics_endpoint_is_restored(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/stats")
    assert answer == COMPLETE, answer


class ForgettingLog(MemoryUserLog):
    """A log that accepts events and keeps none, as a broken store would."""

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        return encode(self.epoch, self.head + 1)


class ForgettingEventLog(MemoryEventLog):
    def user(self, user_id: str) -> MemoryUserLog:
        return ForgettingLog(self, 1, 1)


@pytest.mark.fail_to_pass(reason=raised_in("websocket_health_check", "^TypeError: "))
async def test_health_tells_a_healthy_log_from_a_broken_one() -> None:
    """A health check that swallowed its errors would call both healthy."""
    said = {}
    for log in (MemoryEventLog, ForgettingEventLog):
        settings = Settings(canary_timeout_s=0.05)
        registry = ManagerRegistry(settings, event_log=log(settings))
        install_registry(registry)
        try:
            said[log.__name__], _ = await websocket_ssot.websocket_health_check("unknown")
        finally:
            remove_registry(registry)
    assert said == {"MemoryEventLog": True, "ForgettingEventLog": False}


# Connections, events, isolation


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_connection_gets_its_first_message(observer: Observer) -> None:
    session = await observer.session()
    assert session.types()[:1] == ["connection_ready"], outcome(session)


@pytest.mark.fail_to_pass(reason=dies())
async def test_all_five_events_are_delivered(observer: Observer) -> None:
    session = await observer.session(content="import asyncio\nawait asyncio.sleep(0)\n")
    assert set(PAYLOADS) <= set(session.types()), outcome(session)
    assert outcome(session) == COMPLETE


@pytest.mark.fail_to_pass(
    reason=raised_in("create_websocket_manager_ssot", rf"20 of 20 sessions: {CLOSED}")
)
async def test_users_get_their_own_events_and_no_others(observer: Observer) -> None:
    sessions = await observer.sessions()
    owners = [
        {frame.message["user_id"] for frame in session.frames if "user_id" in frame.message}
        for session in sessions
    ]
    assert owners == [{session.user_id} for session in sessions], tally(sessions)


# One manager a user


@pytest.mark.pass_to_pass(fails_on="before")
async def test_the_factory_keeps_one_manager_a_user(
    factory: Factory, ada: UserExecutionContext, registry: ManagerRegistry
) -> None:
    bob = UserExecutionContext("bob")
    managers = [factory(context) for context in (ada, bob, ada)]
    assert managers == [registry.manager(ada), registry.manager(bob), registry.manager(ada)]


@pytest.mark.fail_to_pass(reason=raised_in("create_websocket_manager_ssot", "^TypeError: "))
async def test_route_and_factory_give_the_same_manager(
    ada: UserExecutionContext, registry: ManagerRegistry
) -> None:
    managers = [await websocket_ssot.create_websocket_manager_ssot(ada) for _ in range(2)]
    assert managers == [registry.manager(ada)] * 2


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_users_sessions_share_one_log(observer: Observer) -> None:
    """The manager outlives a connection: the numbers of the events go on."""
    login = await log_in(observer.services.auth, observer.services.users[1])
    sessions = [await observer.session(1) for _ in range(2)]
    assert Counter(map(outcome, sessions)) == {COMPLETE: 2}, outcome(sessions[0])
    numbers = [
        frame.message["seq"]
        for session in sessions
        for frame in session.frames
        if frame.message.get("user_id") == login.user_id
    ]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
