"""Category 1 of the plan: the await that needs a coroutine and gets a manager.

On `buggy` every `fail_to_pass` test here fails at one of the four sites. The `pass_to_pass` tests
are about the colour of the factory alone: they fail on `before`, where it is a coroutine function.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from observer import Observer
from plain_client import COMPLETE, outcome
from reasons import answers_500, dies, raised_in

from netra_ws import ManagerRegistry, UserExecutionContext, WebSocketManager, get_websocket_manager
from netra_ws.routes import websocket_ssot

Factory: TypeAlias = Callable[[UserExecutionContext], object]

# get_websocket_manager() is synchronous


@pytest.mark.pass_to_pass(fails_on="before")
def test_the_factory_is_not_a_coroutine_function() -> None:
    assert not inspect.iscoroutinefunction(get_websocket_manager)


@pytest.mark.pass_to_pass(fails_on="before")
async def test_the_factory_returns_nothing_that_can_be_awaited(
    factory: Factory, ada: UserExecutionContext
) -> None:
    assert not inspect.isawaitable(factory(ada))


# Awaiting what it returns


@pytest.mark.pass_to_pass(fails_on="before")
async def test_awaiting_a_manager_raises_type_error_at_the_await(
    ada: UserExecutionContext, registry: ManagerRegistry
) -> None:
    async def caller() -> None:
        await get_websocket_manager(ada)  # type: ignore[misc]  # netra: ignore[await-sync]

    with pytest.raises(TypeError) as raised:
        await caller()
    assert raised.traceback[-1].name == "caller"
    assert registry.statistics().users == 1, "the call itself has run"


@pytest.mark.fail_to_pass(reason=dies())
async def test_a_session_is_not_ended_by_a_type_error(observer: Observer) -> None:
    session = await observer.session()
    assert outcome(session) == COMPLETE, outcome(session)


# The four sites, called as they stand in the route file

SITES: dict[str, Callable[[], Awaitable[Any]]] = {
    "create_websocket_manager_ssot": lambda: websocket_ssot.create_websocket_manager_ssot(
        UserExecutionContext("ada")
    ),
    "websocket_health_check": lambda: websocket_ssot.websocket_health_check("unknown"),
    "websocket_config": lambda: websocket_ssot.websocket_config(),
    "websocket_stats": lambda: websocket_ssot.websocket_stats(),
}


@pytest.mark.parametrize(
    "site",
    [
        pytest.param(
            site,
            marks=pytest.mark.fail_to_pass(
                reason=raised_in(site, r"^TypeError: .*\bWebSocketManager\b")
            ),
        )
        for site in SITES
    ],
)
async def test_a_site_of_the_route_file_returns(registry: ManagerRegistry, site: str) -> None:
    assert await SITES[site]() is not None


# The endpoints, over the wire


@pytest.mark.fail_to_pass(reason=answers_500("/ws/health", "websocket_health_check"))
async def test_the_health_endpoint_answers(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/health")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/config", "websocket_config"))
async def test_the_configuration_endpoint_answers(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/config")
    assert answer == COMPLETE, answer


@pytest.mark.fail_to_pass(reason=answers_500("/ws/stats", "websocket_stats"))
async def test_the_statistics_endpoint_answers(observer: Observer) -> None:
    answer = await observer.endpoint("/ws/stats")
    assert answer == COMPLETE, answer


# Used as it is meant


@pytest.mark.pass_to_pass(fails_on="before")
async def test_a_synchronous_call_gives_a_manager_that_works(
    factory: Factory, ada: UserExecutionContext
) -> None:
    manager = factory(ada)
    assert isinstance(manager, WebSocketManager), f"got a {type(manager).__name__}"
    await manager.canary()
    assert manager.events == 1


@pytest.mark.fail_to_pass(reason=raised_in("create_websocket_manager_ssot", "^TypeError: "))
async def test_the_route_hands_on_the_manager_of_a_synchronous_call(
    registry: ManagerRegistry, ada: UserExecutionContext
) -> None:
    manager = await websocket_ssot.create_websocket_manager_ssot(ada)
    assert manager is registry.manager(ada)
