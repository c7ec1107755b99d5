"""HTTP for the login service: aiohttp, with every refusal as a problem and no word about itself."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Self

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from netra_ws.auth.metrics import LoginMetrics
from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings
from netra_ws.wire.answer import no_room, refuse
from netra_ws.wire.problem import PROBLEM_TYPE, problem
from netra_ws.wire.urls import base_url

logger = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024

STOP_TIMEOUT_S = 0.5
"""Seconds that requests under way have when the service stops; as long as the backend's own."""

BROKEN = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What aiohttp raises for a body that does not come as its head says."""


class _Connection(web.RequestHandler):
    """A connection on which what is not HTTP is answered with a problem.

    aiohttp answers it in plain text that repeats what came, and logs a traceback, before any
    middleware; it documents no way to change that. So these two methods are replaced.
    """

    def __init__(self, owner: HttpServer, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        super().connection_made(transport)
        assert self.transport is not None
        self._peer = transport.get_extra_info("peername")
        self._owner.take(self.transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room."""
        self._owner.forget(self.transport)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # repeats what came
    ) -> web.StreamResponse:
        """Answer what is not HTTP, and close."""
        self.log_exception(exc_info=exc)
        if request.transport is not None:
            refusal = refuse(HTTPStatus(status), "expected a request in HTTP/1.1")
            request.transport.write(refusal.serialize())
            request.transport.close()
        return web.Response()  # sent to nobody

    def log_exception(self, *_arguments: Any, **options: Any) -> None:
        """Report what broke beside the handlers: a head, or a body that nobody asked for."""
        error = options.get("exc_info")
        if isinstance(error, BROKEN):
            self._owner.report_malformed(self._peer, error)
        else:
            logger.error("connection failed", exc_info=error)


class HttpServer:
    """A server as an async context manager: it listens inside, and `url` names the address.

    Connections that send nothing, or not all of a request, are closed after `open_timeout_s`, and
    there are at most `max_pending_connections`. Raises `ConfigurationError` on entering if the
    address cannot be listened on.
    """

    def __init__(self, settings: Settings, metrics: LoginMetrics, host: str, port: int) -> None:
        self.url = ""
        self._settings = settings
        self._metrics = metrics
        self._address = host, port
        self._pending: dict[asyncio.Transport, None] = {}  # that with the oldest request first
        self._listener: asyncio.Server
        self._app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._answer])
        self._app.on_response_prepare.append(_hide_server)
        self._runner = web.AppRunner(self._app, shutdown_timeout=STOP_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        host, port = self._address
        try:
            # Not a site of aiohttp's: that makes connections of its own kind.
            self._listener = await asyncio.get_running_loop().create_server(
                self._connect, host, port
            )
        except OSError as error:
            await self._runner.cleanup()
            msg = f"cannot listen on {host} port {port}: {error.strerror}"
            raise ConfigurationError(f"{msg}; choose another --auth-port, or 0") from error
        self.url = base_url(*self._listener.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening; requests under way have `STOP_TIMEOUT_S`."""
        self._listener.close()
        await self._runner.cleanup()

    def _connect(self) -> _Connection:
        assert self._runner.server is not None
        return _Connection(
            self,
            self._runner.server,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._settings.open_timeout_s,
            lingering_time=self._settings.close_timeout_s,
        )

    def take(self, transport: asyncio.Transport) -> None:
        """Note a connection; if there are too many, that with the oldest request makes way."""
        self._pending[transport] = None
        if len(self._pending) > self._settings.max_pending_connections:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            peer = oldest.get_extra_info("peername")
            self._metrics.exceeded("max_pending_connections", code=503, peer=peer)
            oldest.write(no_room().serialize())
            oldest.close()

    def forget(self, transport: asyncio.Transport | None) -> None:
        """Note that a connection has ended."""
        if transport in self._pending:
            del self._pending[transport]

    def report_malformed(self, peer: object, error: BaseException) -> None:
        """Count and log what is not HTTP."""
        # Not the error's words: they repeat what came, which can be a password.
        self._metrics.malformed_requests.inc()
        address = peer[0] if isinstance(peer, tuple) else None
        logger.info("malformed request", address=address, error=type(error).__name__)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport in self._pending:  # and to the end with it
            del self._pending[request.transport]
            self._pending[request.transport] = None
        try:
            return await handler(request)
        except web.HTTPNotFound as refused:
            paths = (resource.canonical for resource in self._app.router.resources())
            return _problem(refused, f"expected {' or '.join(paths)}")
        except web.HTTPMethodNotAllowed as refused:
            return _problem(refused, f"expected {refused.headers['Allow'].replace(',', ' or ')}")
        except web.HTTPException as refused:
            return _problem(refused, refused.text or "")
        except Exception as error:
            logger.error("route failed", route=request.path, exc_info=error)
            failed = web.HTTPInternalServerError()
            return _problem(failed, "the request failed; the log says where")

    async def read_body(self, request: web.Request) -> bytes:
        """Return the body of a request; raises an `HTTPException` if it does not come as it should.

        A compressed one is refused: a login is short, and nothing must unpack a bomb.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            detail = "expected a body without Content-Encoding"
            accepted = {"Accept-Encoding": "identity"}
            raise web.HTTPUnsupportedMediaType(text=detail, headers=accepted)
        expected = request.headers.get("Expect", "100-continue")
        if expected.lower() != "100-continue":
            raise web.HTTPExpectationFailed(text="expected 100-continue, or no Expect")
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        closing = {"Connection": "close"}
        limit_s = self._settings.open_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await request.read()
        except TimeoutError:
            detail = f"expected a body within {limit_s:g} s"
            raise web.HTTPRequestTimeout(text=detail, headers=closing) from None
        except web.HTTPRequestEntityTooLarge as refused:
            refused.text = f"expected a body of at most {MAX_BODY_BYTES} bytes"
            refused.headers.update(closing)
            raise
        except BROKEN:
            detail = "expected a body as long as its head says, or in chunks"
            raise web.HTTPBadRequest(text=detail, headers=closing) from None


def _problem(refused: web.HTTPException, detail: str) -> web.Response:
    problem_headers = {"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store"}
    return web.Response(
        status=refused.status,
        body=problem(HTTPStatus(refused.status), detail),
        headers={**refused.headers, **problem_headers},
    )


async def _hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    """Take away the header that names the server and its version."""
    response.headers.pop("Server", None)
