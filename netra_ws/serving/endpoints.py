"""The plain requests of the backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec

from netra_ws.messages import CLIENT_FIELDS
from netra_ws.metrics import Metrics
from netra_ws.routes.websocket_ssot import (
    websocket_config,
    websocket_health_check,
    websocket_stats,
)
from netra_ws.serving.contract import asyncapi
from netra_ws.serving.live import page, page_headers
from netra_ws.serving.readiness import Readiness
from netra_ws.wire.answer import Answer, response


def _json(status: HTTPStatus, body: dict[str, Any]) -> Answer:
    return response(status, msgspec.json.encode(body), "application/json")


class Endpoints:
    """What ``GET`` answers, `by_path`: the live page, health, configuration and so on.

    `auth_url` is where the login service of the live page is; `None` if that is not known here.
    """

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self.auth_url: str | None = None
        self._metrics = metrics
        self._readiness = readiness
        self.by_path: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/": self._live,
            "/ws/health": self._health,
            "/ws/ready": self._ready,
            "/ws/config": self._config,
            "/ws/stats": self._stats,
            "/ws/asyncapi.json": self._contract,
            "/metrics": self._show_metrics,
        }

    async def _live(self) -> Answer:
        headers = page_headers(self.auth_url)
        body = page(self.auth_url, self._metrics.commit)
        return response(HTTPStatus.OK, body, "text/html; charset=utf-8", headers)

    async def _health(self) -> Answer:
        healthy, body = await websocket_health_check(self._metrics.commit)
        return _json(HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, body)

    async def _ready(self) -> Answer:
        body = await self._readiness.check()
        is_ready = body["status"] == "ready"
        return _json(HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, body)

    async def _config(self) -> Answer:
        config = await websocket_config()
        return _json(HTTPStatus.OK, config | {"client_messages": CLIENT_FIELDS})

    async def _stats(self) -> Answer:
        return _json(HTTPStatus.OK, await websocket_stats())

    async def _contract(self) -> Answer:
        return _json(HTTPStatus.OK, asyncapi())

    async def _show_metrics(self) -> Answer:
        return response(HTTPStatus.OK, self._metrics.render(), self._metrics.content_type)
