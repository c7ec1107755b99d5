"""The backend: one port, from its start over its connections to its stop."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Self

from websockets.http11 import Request

from netra_ws.addresses import Proxies
from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode, ConfigurationError, reason
from netra_ws.manager import ManagerRegistry, install_registry, remove_registry
from netra_ws.routes.websocket_ssot import websocket_endpoint
from netra_ws.serving.admission import Admission, Admitted
from netra_ws.serving.endpoints import Endpoints
from netra_ws.serving.handshake import choose_subprotocol
from netra_ws.serving.readiness import Readiness
from netra_ws.wire.answer import Answer, no_room, refuse
from netra_ws.wire.opening import Opening
from netra_ws.wire.port import Port
from netra_ws.wire.refusals import Refusals
from netra_ws.wire.socket import Socket
from netra_ws.wire.urls import base_url, requested_path

TICK_S = 0.5
"""Seconds between two looks at the lag of the event loop and at the users who are idle."""

FOR_PAGES = {"/ws/config", "/ws/revoke"}
"""What pages of other origins may read, if they may connect."""

CLOSE_BATCH = 100
"""Connections that are closed at once when the server stops."""

CLOSE_BATCH_PAUSE_S = 0.05
"""Seconds between two batches, on average, so that not everybody comes back at once."""

STOP_S = 0.5
"""Seconds for all that follows the draining. The other half of the second is the interpreter's: it
takes 0.1 to 0.35 s to end (measured on two busy cores, n = 27)."""


class Backend:
    """The backend as an async context manager: it listens inside.

    `host` and `port` are those to listen on, port 0 for one of the system's choice; `origins` are
    those whose pages may connect. Raises `ConfigurationError` on entering if it cannot listen
    there, or if the process has a backend.
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
        self._metrics.commit = commit
        self._address = host, port
        self._echo = echo
        settings = registry.settings
        proxies = Proxies(settings.trusted_proxies, settings.client_address_header)
        refusals = Refusals(registry.metrics)
        self._port = Port(settings, registry.metrics, tokens.verify, self._serve, refusals, proxies)
        self._pending, self._sockets = self._port.pending, self._port.sockets
        self._admission = Admission(tokens, registry, self._sockets)
        self.origins = self._admission.origins
        self.readiness = Readiness(registry)
        self._endpoints = Endpoints(registry.metrics, self.readiness)
        self._listener: asyncio.Server
        self._ticking: asyncio.TimerHandle
        self._stop_by: float | None = None

    async def __aenter__(self) -> Self:
        """Listen; `url` then names the address."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        async with AsyncExitStack() as undo:
            install_registry(self._registry)
            undo.callback(remove_registry, self._registry)
            try:
                self._listener = await loop.create_server(lambda: Opening(self._port), host, port)
            except (OSError, ValueError, OverflowError) as error:  # a name that is none
                msg = f"cannot listen on {host} port {port}: {reason(error)}"
                raise ConfigurationError(f"{msg}; choose another --port, or 0") from error
            undo.pop_all()
        addresses = [one.getsockname()[:2] for one in self._listener.sockets]
        self.url = base_url(*addresses[0])
        for address in addresses:
            self.origins.listen(*address)
        self._tick(loop.time())
        return self

    def name_login(self, auth_url: str) -> None:
        """Let the live page know where people log in."""
        self._endpoints.auth_url = auth_url

    def _tick(self, due: float) -> None:
        """Look at all that time changes; no task, which an agent could cancel with all others."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._ticking = loop.call_at(now + TICK_S, self._tick, now + TICK_S)
        self._metrics.loop_lag.observe(max(0.0, now - due))
        self._registry.expire(now)
        self._port.absence.look(now)

    async def _serve(self, opening: Opening, request: Request) -> None:
        """Answer a request, the opening handshake of a socket among them.

        This is the boundary where an exception becomes an answer without internals.
        """
        path = requested_path(request.path)
        is_handshake = path == "/ws" and "Upgrade" in request.headers
        try:
            found = await self._answer(path, request, opening)
        except asyncio.CancelledError:
            if opening.waits:
                opening.end_with(HTTPStatus.SERVICE_UNAVAILABLE, no_room().serialize())
            raise
        except Exception as error:
            self._metrics.failed(path, error)
            detail = "the request failed; the log says where"
            found = refuse(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
        if not opening.waits:
            return
        if isinstance(found, Answer):
            if path in FOR_PAGES:
                cors = self.origins.cors(request.headers.get_all("Origin"))
                found = found._replace(headers=found.headers | cors)
            outcome: Answer | Socket = found
        else:
            subprotocol = choose_subprotocol(request.headers)
            outcome = opening.accept(request, subprotocol, found and found.claims)
        if is_handshake:
            status = outcome.status if isinstance(outcome, Answer) else 101
            self._metrics.handshakes.labels(int(status)).inc()
        if isinstance(outcome, Answer):
            words = outcome.serialize(with_body=request.method != "HEAD")
            opening.end_with(outcome.status, words)
        elif not isinstance(found, Answer):
            await self._open(outcome, found)

    async def _answer(
        self, path: str, request: Request, opening: Opening
    ) -> Answer | Admitted | None:
        """Return the answer of a plain request or of a refusal; `None` lets an echo in."""
        is_echo = path == "/ws/test" and self._echo
        endpoint = self._endpoints.by_path.get(path)
        if path == "/ws/revoke":
            return await self._admission.revoke(request, opening)
        if not (path == "/ws" or is_echo or endpoint):
            return refuse(HTTPStatus.NOT_FOUND, "no such path on this service")
        if request.method not in {"GET", "HEAD"}:
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET", {"Allow": "GET, HEAD"})
        if endpoint:
            return await endpoint()
        found = None if is_echo else self._admission.admit(request, opening)
        if isinstance(found, Answer):
            return found
        if not ("Upgrade" in request.headers and request.method == "GET"):
            upgrade = {"Upgrade": "websocket"}
            return refuse(HTTPStatus.UPGRADE_REQUIRED, "expected a WebSocket client", upgrade)
        if not self._listener.is_serving():
            return no_room()
        return self._admission.full() if is_echo else found

    @staticmethod
    async def _open(socket: Socket, admitted: Admitted | None) -> None:
        try:
            if admitted is None:
                Echo(socket)
            else:
                await websocket_endpoint(socket, admitted.context, admitted.position)
        except asyncio.CancelledError:
            socket.close(CloseCode.SERVICE_RESTART, "the server is stopping")
            raise
        except Exception as error:
            socket.fail(error)
        if socket.listener is None:
            socket.close()

    async def drain(self, hurry: asyncio.Event) -> None:
        """Refuse new runs, answer health with 503, and wait until all is done and delivered.

        Returns after `drain_timeout_s`, or as soon as `hurry` is set, whatever still goes on.
        """
        settings = self._registry.settings
        self._stop_by = asyncio.get_running_loop().time() + settings.drain_timeout_s + STOP_S
        draining = asyncio.create_task(self._registry.drain(settings.drain_timeout_s))
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, hurrying):
            task.cancel()
        if (left := self._registry.statistics().runs) and not hurry.is_set():
            self._metrics.exceeded("drain_timeout_s", runs=left)

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop: runs that go on end as cancelled and say so, connections close with 1012.

        It takes what `drain` left of its time, and at least `STOP_S` seconds.
        """
        now = asyncio.get_running_loop().time()
        stop_by = max(self._stop_by or 0.0, now + STOP_S)
        self._ticking.cancel()
        await self._registry.close(STOP_S / 2)
        self._listener.close()
        for opening in self._pending:
            opening.abort()  # who has said nothing would hold up the stop for open_timeout_s
        try:
            async with asyncio.timeout_at(stop_by):
                await self._close_connections(stop_by)
                await self._port.wait_empty()
        except TimeoutError:
            for connection in (*self._pending, *self._sockets):
                connection.abort()
            await self._port.wait_empty()
        remove_registry(self._registry)

    async def _close_connections(self, stop_by: float) -> None:
        """Close all connections in batches, whose pauses differ so that clients come back apart."""
        sockets = [socket for socket in self._sockets if not socket.ending]
        left = stop_by - asyncio.get_running_loop().time()
        pause = min(CLOSE_BATCH_PAUSE_S, left * CLOSE_BATCH / (2 * len(sockets) + 1))
        for start in range(0, len(sockets), CLOSE_BATCH):
            if start:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            for socket in sockets[start : start + CLOSE_BATCH]:
                socket.close(CloseCode.SERVICE_RESTART, "the server is stopping")


class Echo:
    """``/ws/test``: sends back what comes, read and written as on ``/ws``.

    For conformance tests: `make conformance`.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        socket.listen(self)

    def hear(self, message: str | bytes) -> None:
        """See `Listener`."""
        socket = self._socket
        if isinstance(message, str):
            socket.write([message.encode()])
        else:
            socket.write_binary(message)
        if not socket.room:
            socket.pause_reading()

    def drained(self) -> None:
        """See `Listener`."""
        self._socket.resume_reading()

    def lost(self) -> None:
        """See `Listener`."""
