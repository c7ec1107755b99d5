"""The plain requests of the backend, and the boundary where an exception becomes an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from websockets.http11 import Response

from netra_ws.manager import ManagerRegistry
from netra_ws.routes.websocket_ssot import (
    websocket_config,
    websocket_health_check,
    websocket_stats,
)
from netra_ws.serving.contract import asyncapi
from netra_ws.serving.live import page, page_headers
from netra_ws.wire.answer import refuse, response


def _json(status: HTTPStatus, body: dict[str, Any]) -> Response:
    return response(status, msgspec.json.encode(body), "application/json")


class Endpoints:
    """What ``GET`` answers, by path: the live page, health, configuration, statistics and so on.

    `auth_url` is where the login service of the live page is; `None` if that is not known here.
    """

    def __init__(self, registry: ManagerRegistry, commit: str) -> None:
        self.auth_url: str | None = None
        self._metrics = registry.metrics
        self._commit = commit
        self._endpoints: dict[str, Callable[[], Awaitable[Response]]] = {
            "/": self._live,
            "/ws/health": self._health,
            "/ws/config": self._config,
            "/ws/stats": self._stats,
            "/ws/asyncapi.json": self._contract,
            "/metrics": self._show_metrics,
        }

    def __contains__(self, path: str) -> bool:
        """Whether there is something at this path."""
        return path in self._endpoints

    async def answer(self, path: str) -> Response:
        """Return the answer of a path; an exception of its route is a 500 without internals."""
        try:
            return await self._endpoints[path]()
        except Exception as error:
            self._metrics.failed(path, self._commit, error)
            detail = "the request failed; the log says where"
            return refuse(HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    async def _live(self) -> Response:
        headers = page_headers(self.auth_url)
        return response(HTTPStatus.OK, page(self.auth_url), "text/html; charset=utf-8", headers)

    async def _health(self) -> Response:
        healthy, body = await websocket_health_check(self._commit)
        return _json(HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, body)

    async def _config(self) -> Response:
        return _json(HTTPStatus.OK, await websocket_config())

    async def _stats(self) -> Response:
        return _json(HTTPStatus.OK, await websocket_stats())

    async def _contract(self) -> Response:
        return _json(HTTPStatus.OK, asyncapi())

    async def _show_metrics(self) -> Response:
        return response(HTTPStatus.OK, self._metrics.render(), self._metrics.content_type)
