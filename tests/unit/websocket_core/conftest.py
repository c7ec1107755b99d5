"""A registry in this process, so that routes and factory can be called as they are."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from netra_ws import (
    ManagerRegistry,
    UserExecutionContext,
    get_websocket_manager,
    install_registry,
)
from netra_ws.manager import remove_registry


@pytest.fixture
async def registry() -> AsyncIterator[ManagerRegistry]:
    """The registry that the factory asks."""
    registry = ManagerRegistry()
    install_registry(registry)
    yield registry
    await registry.close()
    remove_registry(registry)


@pytest.fixture
def ada(registry: ManagerRegistry) -> UserExecutionContext:
    """A user."""
    return UserExecutionContext("ada")


Factory = Callable[[UserExecutionContext], object]


@pytest.fixture
def factory(registry: ManagerRegistry) -> Iterator[Factory]:
    """`get_websocket_manager`; a coroutine that it returns and nobody awaits is closed.

    Python would warn of it later, in the middle of another test.
    """
    returned: list[object] = []

    def ask(context: UserExecutionContext) -> object:
        returned.append(get_websocket_manager(context))
        return returned[-1]

    yield ask
    for item in returned:
        if inspect.iscoroutine(item):
            item.close()
