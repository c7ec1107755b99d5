"""A WebSocket backend that streams agent events.

The names are imported on use: `netra-ws audit` runs without the server's dependencies.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netra_ws.agent import Agent, AgentRun
    from netra_ws.context import UserExecutionContext
    from netra_ws.errors import CloseCode, NetraError
    from netra_ws.manager import (
        ManagerRegistry,
        WebSocketManager,
        get_websocket_manager,
        install_registry,
        remove_registry,
    )
    from netra_ws.settings import Settings

__all__ = [
    "Agent",
    "AgentRun",
    "CloseCode",
    "ManagerRegistry",
    "NetraError",
    "Settings",
    "UserExecutionContext",
    "WebSocketManager",
    "get_websocket_manager",
    "install_registry",
    "remove_registry",
]

_MODULES = ("errors", "context", "settings", "agent", "manager")
"""Where the names are, in the order of what they import."""


def __getattr__(name: str) -> Any:
    """Import a public name from its module. Raises `AttributeError` for any other name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        homes = (import_module(f"{__name__}.{module}") for module in _MODULES)
        return next(getattr(home, name) for home in homes if hasattr(home, name))
    except ModuleNotFoundError as error:
        error.add_note("in a clone of netra_ws: pip install '.[serve]'")
        raise


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
