"""HTTP for the login service: aiohttp, with every refusal in one form and no word about itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Self

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError, RawRequestMessage, StreamWriter
from aiohttp.streams import StreamReader

from netra_ws.auth.metrics import LoginMetrics
from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings
from netra_ws.wire.answer import no_room
from netra_ws.wire.problem import PROBLEM_TYPE, problem
from netra_ws.wire.urls import base_url

logger = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024
STOP_TIMEOUT_S = 0.5
"""Seconds that a request may go on for when the service stops; as long as the backend's own stop.

Guarded by tests/integration/test_shutdown.py::test_it_is_gone_though_peers_do_not_speak
"""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """Raised when a request is answered with a problem; `headers` go with it."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def response(self) -> web.Response:
        """Return the problem as a response."""
        headers = {"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store", **self.headers}
        body = problem(self.status, self.detail)
        return web.Response(status=self.status, body=body, headers=headers)


async def _hide_server(headers: MutableMapping[str, str]) -> None:
    """Take away the header that names the server and its version."""
    headers.pop("Server", None)


class _Protocol(web.RequestHandler):
    """One connection. Of its own aiohttp answers in plain text and logs a traceback.

    Guarded by tests/integration/test_login_security.py::test_malformed_http_is_answered_or_closed
    """

    __slots__ = ("_metrics", "_most", "_pending")

    def __init__(
        self,
        server: web.Server,
        metrics: LoginMetrics,
        pending: dict[web.RequestHandler, None],
        most: int,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._metrics = metrics
        self._pending = pending
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; if there are too many, that with the oldest request makes way.

        Guarded by
        tests/integration/test_login_security.py::test_whoever_waits_longest_makes_room_for_a_login
        """
        super().connection_made(transport)
        self._pending[self] = None
        if len(self._pending) > self._most:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            self._metrics.exceeded("max_pending_connections", code=503, peer=oldest.peername)
            if oldest.transport is not None:
                oldest.transport.write(no_room().serialize())
                oldest.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room."""
        super().connection_lost(exc)
        self._pending.pop(self, None)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # repeats what came
    ) -> web.StreamResponse:
        """Answer what is not HTTP with 400, and an exception of the handler with 500."""
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._report_malformed(exc)
            refused = Refused(HTTPStatus(status), "expected a request in HTTP/1.1")
        else:
            logger.error("route failed", route=request.path, exc_info=exc)
            refused = Refused(HTTPStatus(status), "the request failed; the log says where")
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        response = refused.response()
        response.force_close()
        return response

    def log_exception(self, *_arguments: Any, **options: Any) -> None:
        """Report what failed beside the handler: the rest of a body that was not asked for.

        Guarded by tests/integration/test_login_security.py, with
        test_a_body_that_breaks_after_its_answer_leaves_no_traceback.
        """
        error = options.get("exc_info")
        if isinstance(error, (web.RequestPayloadError, HttpProcessingError, ConnectionError)):
            self._report_malformed(error)
        else:
            logger.error("connection failed", exc_info=error)

    def _report_malformed(self, error: BaseException | None) -> None:
        # Not the error's words: they repeat what came, which can be a password.
        self._metrics.malformed_requests.inc()
        peer = self.peername
        address = peer[0] if isinstance(peer, tuple) else None
        logger.info("malformed request", address=address, error=type(error).__name__)


class HttpServer:
    """A server as an async context manager: it listens inside, and `url` names the address.

    Connections that send nothing, or not all of a request, are closed after `open_timeout_s`, and
    there are at most `max_pending_connections`. Raises `ConfigurationError` on entering if the
    address cannot be listened on.
    """

    def __init__(
        self,
        handler: Handler,
        settings: Settings,
        metrics: LoginMetrics,
        host: str,
        port: int,
    ) -> None:
        self.url = ""
        self._handler = handler
        self._settings = settings
        self._metrics = metrics
        self._pending: dict[web.RequestHandler, None] = {}
        """The connections, with the one whose request is oldest first."""
        self._host = host
        self._port = port
        self._server: web.Server
        self._listener: asyncio.Server

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = web.Server(self._answer, request_factory=self._make_request)
        try:
            self._listener = await loop.create_server(self._connect, self._host, self._port)
        except OSError as error:
            msg = f"cannot listen on {self._host} port {self._port}: {error.strerror}"
            raise ConfigurationError(f"{msg}; choose another --auth-port, or 0") from error
        self.url = base_url(*self._listener.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening; answers in the making have `STOP_TIMEOUT_S`."""
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(STOP_TIMEOUT_S)

    def _connect(self) -> _Protocol:
        return _Protocol(
            self._server,
            self._metrics,
            self._pending,
            self._settings.max_pending_connections,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._settings.open_timeout_s,
            lingering_time=self._settings.close_timeout_s,
        )

    @staticmethod
    def _make_request(
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        _writer: object,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        writer = StreamWriter(protocol, loop, on_headers_sent=_hide_server)
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.protocol in self._pending:  # and to the end with it
            del self._pending[request.protocol]
            self._pending[request.protocol] = None
        try:
            return await self._handler(request)
        except Refused as refused:
            return refused.response()

    async def read_body(self, request: web.BaseRequest) -> bytes:
        """Return the body of a request; raises `Refused` for one that does not come as it should.

        A compressed one is refused: a login is short, and nothing must unpack a bomb.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            accepted = {"Accept-Encoding": "identity"}
            detail = "expected a body without Content-Encoding"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, accepted)
        expected = request.headers.get("Expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise Refused(HTTPStatus.EXPECTATION_FAILED, "expected 100-continue, or no Expect")
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer has not begun
        closing = {"Connection": "close"}
        try:
            async with asyncio.timeout(self._settings.open_timeout_s):
                return await request.read()
        except TimeoutError:
            detail = f"expected a body within {self._settings.open_timeout_s:g} s"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, detail, closing) from None
        except web.HTTPRequestEntityTooLarge:
            detail = f"expected a body of at most {MAX_BODY_BYTES} bytes"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, closing) from None
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            detail = "expected a body as long as its head says, or in chunks"
            raise Refused(HTTPStatus.BAD_REQUEST, detail, closing) from None
