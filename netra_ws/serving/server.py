"""The backend: one port, from its start over its connections to its stop."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Self
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.protocol import State

from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode, ConfigurationError
from netra_ws.manager import ManagerRegistry, install_registry, remove_registry
from netra_ws.messages import SUBPROTOCOL
from netra_ws.routes.websocket_ssot import websocket_endpoint
from netra_ws.serving.admission import Admission
from netra_ws.serving.endpoints import Endpoints
from netra_ws.serving.handshake import choose_subprotocol
from netra_ws.wire.answer import refuse
from netra_ws.wire.opening import Pending
from netra_ws.wire.transport import Socket
from netra_ws.wire.urls import base_url, own_origins

TICK_S = 0.5
"""Seconds between two looks at the lag of the event loop and at the users who are idle."""

UPGRADE_HEADERS = ("Upgrade", "Sec-WebSocket-Version")
"""What a refusal of websockets tells a client that could do better (RFC 6455 section 4.4)."""

CLOSE_BATCH = 100
"""Connections that are closed at once when the server stops."""

CLOSE_BATCH_PAUSE_S = 0.05
"""Seconds between two batches, on average, so that not everybody comes back at once."""

STOP_S = 0.5
"""Seconds for all that follows the draining. The other half of the second is the interpreter's: it
takes 0.1 to 0.35 s to end (measured on two busy cores, n = 27)."""


KNOWN_CODES = {*range(1000, 1016), *CloseCode}
"""Those of RFC 6455 section 7.4.1 and our own. A client may close with thousands of others, and
each would be a series of the metric."""


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
        self._admission = Admission(tokens, registry)
        self._sockets: WeakSet[Socket] = WeakSet()
        self._pending: Pending = {}
        self._server: Server
        self._ticking: asyncio.Task[None]
        self._stop_by: float | None = None
        self._endpoints = Endpoints(registry, commit)

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
                    open_timeout=None,  # the socket's own clock answers before it drops
                )
            except OSError as error:
                msg = f"cannot listen on {self._host} port {self._port}: {error.strerror}"
                raise ConfigurationError(f"{msg}; choose another --port, or 0") from error
            undo.pop_all()
        self.url = base_url(*self._server.sockets[0].getsockname()[:2])
        self._admission.origins |= own_origins(self.url)
        self._ticking = asyncio.create_task(self._tick())
        return self

    @property
    def origins(self) -> set[str]:
        """The origins whose pages may connect."""
        return self._admission.origins

    def name_login(self, auth_url: str) -> None:
        """Let the live page know where people log in."""
        self._endpoints.auth_url = auth_url

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self._metrics.loop_lag.observe(max(0.0, loop.time() - due))
            self._registry.expire(loop.time())

    async def drain(self, hurry: asyncio.Event) -> None:
        """Refuse new runs, answer health with 503, and wait until all is done and delivered.

        Returns after `drain_timeout_s`, or as soon as `hurry` is set, whatever still goes on.

        Guarded by
        tests/integration/test_shutdown.py::test_a_run_that_outlasts_the_drain_is_cancelled
        """
        settings = self._registry.settings
        self._stop_by = asyncio.get_running_loop().time() + settings.drain_timeout_s + STOP_S
        draining = asyncio.create_task(self._registry.drain(settings.drain_timeout_s))
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, hurrying):
            task.cancel()
        left = self._registry.statistics().runs
        if left and not hurry.is_set():
            self._metrics.exceeded("drain_timeout_s", runs=left)

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop: runs that go on end as cancelled and say so, connections close with 1012.

        It takes what `drain` left of its time, and at least `STOP_S` seconds.

        Guarded by
        tests/integration/test_shutdown.py::test_it_is_gone_though_20_of_80_clients_stall
        """
        now = asyncio.get_running_loop().time()
        stop_by = max(self._stop_by or 0.0, now + STOP_S)
        self._ticking.cancel()
        await self._registry.close(STOP_S / 2)
        self._server.close(close_connections=False)  # only the listening ends
        for socket in self._sockets:
            # Whoever has connected and said nothing would hold up the stop for open_timeout_s.
            if socket.state is State.CONNECTING and hasattr(socket, "transport"):
                socket.transport.abort()
        try:
            async with asyncio.timeout_at(stop_by):
                await self._close_connections(stop_by)
                await asyncio.shield(self._server.wait_closed())
        except TimeoutError:
            for socket in self._sockets:
                if hasattr(socket, "transport"):
                    socket.transport.abort()
            await self._server.wait_closed()
        remove_registry(self._registry)

    async def _close_connections(self, stop_by: float) -> None:
        """Close all connections in batches, whose pauses differ so that clients come back apart.

        Guarded by tests/integration/test_shutdown.py::test_connections_close_in_batches
        """
        sockets = [socket for socket in self._sockets if socket.state is State.OPEN]
        left = stop_by - asyncio.get_running_loop().time()
        pause = min(CLOSE_BATCH_PAUSE_S, left * CLOSE_BATCH / (2 * len(sockets) + 1))
        for start in range(0, len(sockets), CLOSE_BATCH):
            if start:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            for socket in sockets[start : start + CLOSE_BATCH]:
                socket.finish(CloseCode.SERVICE_RESTART, "the server is stopping")

    def _create_socket(self, *arguments: Any, **options: Any) -> Socket:
        for name in ("ping_interval", "ping_timeout", "max_queue", "close_timeout"):
            options.pop(name)
        settings, metrics = self._registry.settings, self._metrics
        socket = Socket(
            *arguments,
            settings=settings,
            metrics=metrics,
            verify=self._tokens.verify,
            pending=self._pending,
            **options,
        )
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
        is_echo = path == "/ws/test" and self._echo
        is_socket = path == "/ws" or is_echo
        if path == "/ws/revoke":
            return self._admission.revoke(request)
        if not (is_socket or path in self._endpoints):
            return refuse(HTTPStatus.NOT_FOUND, "no such path on this service")
        if request.method not in {"GET", "HEAD"}:
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET", {"Allow": "GET, HEAD"})
        if not is_socket:
            return await self._endpoints.answer(path)
        refusal = None if is_echo else self._admission.admit(socket, request)
        if refusal is None and not ("Upgrade" in request.headers and request.method == "GET"):
            upgrade = {"Upgrade": "websocket"}
            return refuse(HTTPStatus.UPGRADE_REQUIRED, "expected a WebSocket client", upgrade)
        return self._admission.take_in(socket) if is_echo else refusal

    def _count_handshake(
        self, socket: ServerConnection, request: Request, response: Response
    ) -> Response | None:
        """Count every answer to an opening handshake, those of websockets itself included.

        Those are put into words of our own: websockets repeats the header that it refuses, and
        the token can stand in it.

        Guarded by tests/integration/test_session_security.py::test_no_answer_repeats_the_token
        """
        if "Upgrade" in request.headers and request.path.partition("?")[0] == "/ws":
            status = response.status_code
            if status == HTTPStatus.SWITCHING_PROTOCOLS and not self._server.is_serving():
                status = HTTPStatus.SERVICE_UNAVAILABLE  # what websockets will make of it
            self._metrics.handshakes.labels(int(status)).inc()
        if socket.protocol.handshake_exc is None:
            return None
        detail = "expected the opening handshake of RFC 6455, version 13"
        headers = response.headers
        more = {name: headers[name] for name in UPGRADE_HEADERS if name in headers}
        return refuse(HTTPStatus(response.status_code), detail, more)

    # The connections

    async def _handle(self, socket: ServerConnection) -> None:
        """Serve one socket; an exception of its route closes it with 1011 and an empty reason."""
        assert isinstance(socket, Socket)
        context = socket.context
        self._metrics.connections.inc()
        try:
            if context is None:
                await self._echo_back(socket)
            else:
                await websocket_endpoint(socket, context, socket.position)
        except Exception as error:
            self._metrics.failed("/ws", self._commit, error)
            await socket.close(CloseCode.INTERNAL_ERROR)
        finally:
            await socket.close()
            self._metrics.connections.dec()
            self._count_end(socket)

    def _count_end(self, socket: Socket) -> None:
        code = socket.ended_with
        self._metrics.disconnects.labels(code if code in KNOWN_CODES else "other").inc()
        if socket.refused_size:
            user_id = socket.context and socket.context.user_id
            code = int(CloseCode.MESSAGE_TOO_BIG)
            self._metrics.exceeded("max_message_bytes", code=code, user_id=user_id)

    @staticmethod
    async def _echo_back(socket: Socket) -> None:
        """``/ws/test``: send back what comes, read and written as on ``/ws``.

        For conformance tests: `make conformance`.
        """

        def echo(message: str | bytes) -> None:
            if isinstance(message, str):
                socket.write([message.encode()])
            else:
                socket.protocol.send_binary(message)
                socket.send_data()
            if not socket.writable:
                socket.pause_reading()

        socket.on_writable = socket.resume_reading
        await socket.listen(echo)
