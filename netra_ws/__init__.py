"""A WebSocket backend that streams agent events, and the incident it went through."""

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
