"""The backend: one port, its paths, and the boundary where an exception becomes an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Self
from weakref import WeakSet

import msgspec
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from netra_ws.auth.tokens import Tokens
from netra_ws.context import UserExecutionContext
from netra_ws.errors import CloseCode, ConfigurationError, TokenError
from netra_ws.handshake import Socket, bearer_token, choose_subprotocol, requested_position
from netra_ws.manager import ManagerRegistry, install_registry, remove_registry
from netra_ws.messages import SUBPROTOCOL
from netra_ws.problem import PROBLEM_TYPE, problem
from netra_ws.routes.websocket_ssot import (
    websocket_config,
    websocket_endpoint,
    websocket_health_check,
    websocket_stats,
)
from netra_ws.urls import base_url

logger = structlog.get_logger(__name__)


def response(
    status: HTTPStatus, body: bytes, content_type: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an HTTP response after which the connection closes."""
    return Response(
        status.value,
        status.phrase,
        Headers(
            {
                "Date": formatdate(usegmt=True),
                "Connection": "close",
                "Content-Length": str(len(body)),
                "Content-Type": content_type,
                "Cache-Control": "no-store",
                **(headers or {}),
            }
        ),
        body,
    )


def refuse(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem response (RFC 9457)."""
    return response(status, problem(status, detail), PROBLEM_TYPE, headers)


class Backend:
    """The backend as an async context manager: it listens inside.

    `host` and `port` are those to listen on, port 0 for one of the system's choice. Raises
    `ConfigurationError` on entering if it cannot listen there, or if the process has a backend.
    """

    def __init__(
        self,
        registry: ManagerRegistry,
        tokens: Tokens,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        commit: str = "unknown",
        echo: bool = False,
    ) -> None:
        self.url = ""
        self._registry = registry
        self._metrics = registry.metrics
        self._tokens = tokens
        self._host = host
        self._port = port
        self._commit = commit
        self._echo = echo
        self._sockets: WeakSet[Socket] = WeakSet()
        self._server: Server
        self._endpoints: dict[str, Callable[[], Awaitable[Response]]] = {
            "/ws/health": self._health,
            "/ws/config": self._config,
            "/ws/stats": self._stats,
            "/metrics": self._show_metrics,
        }

    async def __aenter__(self) -> Self:
        """Listen; `url` then names the address."""
        settings = self._registry.settings
        async with AsyncExitStack() as undo:
            install_registry(self._registry)
            undo.callback(remove_registry, self._registry)
            try:
                self._server = await serve(
                    self._handle,
                    self._host,
                    self._port,
                    create_connection=self._create_socket,  # type: ignore[arg-type]
                    process_request=self._process_request,
                    process_response=self._count_handshake,
                    select_subprotocol=choose_subprotocol,
                    subprotocols=[SUBPROTOCOL],
                    compression=None,  # 39 KiB a connection, for messages of 300 bytes
                    server_header=None,
                    max_size=settings.max_message_bytes,
                    write_limit=settings.write_high_water_bytes,
                    open_timeout=settings.open_timeout_s,
                    close_timeout=settings.close_timeout_s,
                    ping_interval=settings.ping_interval_s,
                    ping_timeout=settings.ping_timeout_s,
                )
            except OSError as error:
                msg = f"cannot listen on {self._host} port {self._port}: {error.strerror}"
                raise ConfigurationError(f"{msg}; choose another --port, or 0") from error
            undo.pop_all()
        self.url = base_url(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop: runs end as cancelled and say so, connections close with 1012."""
        await self._registry.close()
        self._server.close(code=CloseCode.SERVICE_RESTART)
        for socket in self._sockets:
            # Whoever has connected and said nothing would hold up the stop for open_timeout_s.
            if socket.state is State.CONNECTING and hasattr(socket, "transport"):
                socket.transport.abort()
        await self._server.wait_closed()
        remove_registry(self._registry)

    def _create_socket(self, *arguments: Any, **options: Any) -> Socket:
        socket = Socket(*arguments, **options)
        self._sockets.add(socket)
        return socket

    # The opening handshake and the plain requests

    async def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer a plain request, or return `None` for a handshake that may go on."""
        assert isinstance(socket, Socket)
        answer = await self._answer(socket, request)
        if answer is not None and request.method == "HEAD":
            answer.body = b""
        return answer

    async def _answer(self, socket: Socket, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        is_upgrade = "Upgrade" in request.headers
        is_echo = path == "/ws/test" and self._echo
        endpoint = self._endpoints.get(path)
        if not (path == "/ws" or is_echo or endpoint):
            return refuse(HTTPStatus.NOT_FOUND, "no such path on this service")
        if request.method not in {"GET", "HEAD"}:
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET", {"Allow": "GET, HEAD"})
        if endpoint is None:
            answer = None if is_echo else self._admit(socket, request)
            if answer is None and not (is_upgrade and request.method == "GET"):
                upgrade = {"Upgrade": "websocket"}
                return refuse(HTTPStatus.UPGRADE_REQUIRED, "expected a WebSocket client", upgrade)
            return answer
        try:
            return await endpoint()
        except Exception as error:
            self._report(path, error)
            detail = "the request failed; the log says where"
            return refuse(HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    def _count_handshake(
        self, _socket: ServerConnection, request: Request, response: Response
    ) -> None:
        """Count every answer to an opening handshake, those of websockets itself included."""
        if "Upgrade" in request.headers and request.path.partition("?")[0] == "/ws":
            self._metrics.handshakes.labels(response.status_code).inc()

    def _admit(self, socket: Socket, request: Request) -> Response | None:
        """Check token, origin and position; `None` means welcome."""
        try:
            user_id = self._tokens.verify(bearer_token(request.headers))
        except TokenError as error:
            logger.warning("token refused", reason=str(error))
            challenge = {"WWW-Authenticate": 'Bearer realm="netra-ws"'}
            return refuse(HTTPStatus.UNAUTHORIZED, "expected a valid bearer token", challenge)
        origins = request.headers.get_all("Origin")
        if origins not in ([], [self.url]):
            logger.warning("origin refused", origins=origins, user_id=user_id)
            return refuse(HTTPStatus.FORBIDDEN, "this origin may not connect")
        try:
            socket.position = requested_position(request.path.partition("?")[2])
        except ValueError as error:
            return refuse(HTTPStatus.BAD_REQUEST, str(error))
        socket.user_context = UserExecutionContext(user_id)
        return None

    async def _health(self) -> Response:
        healthy, body = await websocket_health_check(self._commit)
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return response(status, msgspec.json.encode(body), "application/json")

    async def _config(self) -> Response:
        return self._json(await websocket_config())

    async def _stats(self) -> Response:
        return self._json(await websocket_stats())

    async def _show_metrics(self) -> Response:
        return response(HTTPStatus.OK, self._metrics.render(), self._metrics.content_type)

    @staticmethod
    def _json(body: dict[str, Any]) -> Response:
        return response(HTTPStatus.OK, msgspec.json.encode(body), "application/json")

    # The connections

    async def _handle(self, socket: ServerConnection) -> None:
        """Serve one socket; an exception of its route closes it with 1011 and an empty reason."""
        assert isinstance(socket, Socket)
        context = socket.user_context
        self._metrics.connections.inc()
        try:
            if context is None:
                await self._echo_back(socket)
            else:
                await websocket_endpoint(socket, context, socket.position)
        except Exception as error:
            self._report("/ws", error)
            await socket.close(CloseCode.INTERNAL_ERROR)
        finally:
            await socket.close()
            self._metrics.connections.dec()
            self._metrics.disconnects.labels(socket.close_code or 1006).inc()

    @staticmethod
    async def _echo_back(socket: Socket) -> None:
        """``/ws/test``: send back what comes, for conformance tests."""
        try:
            async for message in socket:
                await socket.send(message)
        except ConnectionClosed:
            pass

    def _report(self, route: str, error: Exception) -> None:
        """Say once, in the log and in a metric, that a route failed."""
        self._metrics.failures.labels(route).inc()
        logger.error("route failed", route=route, commit=self._commit, exc_info=error)
