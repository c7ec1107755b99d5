"""The routes of the WebSocket backend: the socket, and what it says about itself.

Each route asks the factory for its manager, in one line. Routes raise; the server's boundary
turns an exception into an answer without internals.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from msgspec import structs

from netra_ws.connection import Connection
from netra_ws.context import UserExecutionContext
from netra_ws.errors import CloseCode
from netra_ws.event_log import Position
from netra_ws.events import EVENT_TYPES, timestamp
from netra_ws.manager import WebSocketManager, get_websocket_manager
from netra_ws.wire.socket import Socket


async def create_websocket_manager_ssot(user_context: UserExecutionContext) -> WebSocketManager:
    """Return the manager that serves a connection of the context's user."""
    return get_websocket_manager(user_context)


async def websocket_endpoint(
    socket: Socket, user_context: UserExecutionContext, position: Position | None
) -> None:
    """``/ws``: serve one connection from `position`, or from the head, until it ends."""
    manager = await create_websocket_manager_ssot(user_context)
    await Connection(socket, user_context, manager, position).serve()


async def websocket_health_check(commit: str) -> tuple[bool, dict[str, Any]]:
    """``GET /ws/health``: whether a canary went through a manager and its log in time."""
    user_context = UserExecutionContext.for_service("health")
    manager = get_websocket_manager(user_context)
    try:
        await manager.canary()
    except TimeoutError:
        log = "unhealthy"
    else:
        log = "healthy"
    status = "stopping" if manager.registry.stopping else log
    return status == "healthy", {
        "status": status,
        "components": {"manager": "healthy", "event_log": log},
        "commit": commit,
        "timestamp": timestamp(),
    }


async def websocket_config() -> dict[str, Any]:
    """``GET /ws/config``: the limits in force, as the running manager has them."""
    user_context = UserExecutionContext.for_service("config")
    manager = get_websocket_manager(user_context)
    return {
        "limits": structs.asdict(manager.settings),
        "event_types": EVENT_TYPES,
        "close_codes": {str(int(code)): code.meaning for code in CloseCode},
    }


async def websocket_stats() -> dict[str, Any]:
    """``GET /ws/stats``: live counts, people only."""
    user_context = UserExecutionContext.for_service("stats")
    manager = get_websocket_manager(user_context)
    return asdict(manager.registry.statistics())
