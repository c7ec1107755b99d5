"""A WebSocket backend that streams agent events, and the incident it went through.

The names are imported on use: `netra-ws audit` runs where the server's dependencies are not
installed.
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

_HOMES = {
    "agent": ("Agent", "AgentRun"),
    "context": ("UserExecutionContext",),
    "errors": ("CloseCode", "NetraError"),
    "manager": (
        "ManagerRegistry",
        "WebSocketManager",
        "get_websocket_manager",
        "install_registry",
        "remove_registry",
    ),
    "settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module. Raises `AttributeError` for any other name."""
    for module, names in _HOMES.items():
        if name in names:
            try:
                return getattr(import_module(f"{__name__}.{module}"), name)
            except ModuleNotFoundError as error:
                error.add_note("in a clone of netra_ws: pip install '.[serve]'")
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
