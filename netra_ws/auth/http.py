"""HTTP for the login service: aiohttp, with every refusal as a problem and no word about itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from http import HTTPStatus
from typing import Any, Self

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from netra_ws.addresses import Proxies
from netra_ws.auth.metrics import LoginMetrics
from netra_ws.deadline import time_limit
from netra_ws.errors import ConfigurationError, reason
from netra_ws.settings import Settings
from netra_ws.wire.answer import PROBLEM_TYPE, no_room, problem, refuse
from netra_ws.wire.refusals import Refusals
from netra_ws.wire.urls import base_url, requested_path

logger = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024

STOP_TIMEOUT_S = 0.5
"""Seconds that requests under way have when the service stops; as long as the backend's own."""

BROKEN = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What aiohttp raises for a request that does not come as it should."""


class _Connection(web.RequestHandler):
    """A connection, for which the oldest makes room when there are too many.

    aiohttp answers malformed HTTP before any middleware, in plain text that repeats what came, and
    logs a traceback. It documents no way to change that: so the last two methods replace its own.
    """

    def __init__(self, owner: HttpServer, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._peer = transport.get_extra_info("peername")
        pending, settings = self._owner.pending, self._owner.settings
        loop = asyncio.get_running_loop()
        pending[self.transport] = loop.call_later(settings.open_timeout_s, self._late)
        if len(pending) > settings.max_pending_connections:
            oldest, timer = pending.popitem(last=False)
            timer.cancel()
            peer = oldest.get_extra_info("peername")
            self._owner.metrics.exceeded("max_pending_connections", code=503, peer=peer)
            oldest.write(no_room().serialize())
            oldest.close()

    def _late(self) -> None:
        """Say that no request came; aiohttp closes then, without an answer."""
        code = HTTPStatus.REQUEST_TIMEOUT.value
        self._owner.metrics.exceeded("open_timeout_s", code=code, peer=self._peer)
        self._owner.refusals.count(code)

    def connection_lost(self, exc: BaseException | None) -> None:
        timer = self._owner.pending.pop(self.transport, None)
        if timer is not None:
            timer.cancel()
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, *_: Any
    ) -> web.StreamResponse:
        self.log_exception(exc_info=exc)
        self._owner.refusals.count(status)
        if request.transport is not None:
            refusal = refuse(HTTPStatus(status), "expected a request in HTTP/1.1")
            request.transport.write(refusal.serialize())
            request.transport.close()
        return web.Response()  # sent to nobody

    def log_exception(self, *_arguments: Any, **options: Any) -> None:
        error = options.get("exc_info")
        if not isinstance(error, BROKEN):
            logger.error("connection failed", exc_info=error)
            return
        # Not the error's words: they repeat what came, which can be a password.
        self._owner.metrics.malformed_requests.inc()
        address = self._owner.proxies.client(self._peer and self._peer[0], ())
        self._owner.refusals.say("malformed request", address=address, error=type(error).__name__)


class HttpServer:
    """A server as an async context manager: it listens inside, and `url` names the address.

    Connections that send nothing, or not all of a request, are closed after `open_timeout_s`, and
    there are at most `max_pending_connections`. Raises `ConfigurationError` on entering if the
    address cannot be listened on.
    """

    def __init__(self, settings: Settings, metrics: LoginMetrics, host: str, port: int) -> None:
        self.url = ""
        self.settings = settings
        self.metrics = metrics
        self.refusals = Refusals(metrics)
        self.proxies = Proxies(settings.trusted_proxies, settings.client_address_header)
        self.pending: OrderedDict[Any, asyncio.TimerHandle] = OrderedDict()
        """The transports of the connections, that with the oldest request first, and the end of the
        time for the first one."""
        self.app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._answer])
        self.app.on_response_prepare.append(_hide_server)
        self._routes: dict[str, dict[str, Handler]] = {}
        self._runner = web.AppRunner(self.app, shutdown_timeout=STOP_TIMEOUT_S)
        self._address = host, port
        self._listener: asyncio.Server

    def add_route(self, path: str, handler: Handler, *methods: str) -> None:
        """Let `handler` answer requests for `path`."""
        self._routes[path] = dict.fromkeys(methods, handler)

    def address(self, request: web.Request) -> str:
        """Return the address of a client."""
        lines = request.headers.getall(self.proxies.header, ())
        return self.proxies.client(request.remote, lines)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        by_method = self._routes.get(requested_path(request.raw_path))
        if by_method is None:
            raise web.HTTPNotFound(text=f"expected {' or '.join(self._routes)}")
        if request.method not in by_method:
            refused = web.HTTPMethodNotAllowed(request.method, ())
            refused.headers["Allow"] = ", ".join(by_method)
            refused.text = f"expected {' or '.join(by_method)}"
            raise refused
        return await by_method[request.method](request)

    async def __aenter__(self) -> Self:
        # One route: the backend reads paths in the same way. Where there is none, aiohttp answers
        # an Expect header by repeating it.
        self.app.router.add_route("*", "/{path:.*}", self._route, expect_handler=_ignore)
        await self._runner.setup()
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        host, port = self._address
        connection = partial(
            _Connection,
            self,
            self._runner.server,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self.settings.open_timeout_s,
            lingering_time=self.settings.close_timeout_s,
        )
        try:
            # Not a site of aiohttp's: that makes connections of its own kind.
            self._listener = await loop.create_server(connection, host, port)
        except (OSError, ValueError, OverflowError) as error:  # a name that is none
            await self._runner.cleanup()
            msg = f"cannot listen on {host} port {port}: {reason(error)}"
            raise ConfigurationError(f"{msg}; choose another --auth-port, or 0") from error
        self.url = base_url(*self._listener.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._listener.close()
        await self._runner.cleanup()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport in self.pending:
            self.pending.move_to_end(request.transport)
            self.pending[request.transport].cancel()
        try:
            return await handler(request)
        except web.HTTPException as refused:
            self.refusals.note(refused.status, self.address(request))
            return _problem(refused, refused.text or "")
        except Exception as error:
            logger.error("route failed", route=request.path, exc_info=error)
            return _problem(web.HTTPInternalServerError(), "the request failed; the log says where")


async def read_body(request: web.Request, limit_s: float) -> bytes:
    """Return the body of a request; raises an `HTTPException` if it does not come as it should.

    A compressed one is refused: a login is short, and nothing must unpack a bomb.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        detail, accepted = "expected a body without Content-Encoding", "identity"
        raise web.HTTPUnsupportedMediaType(text=detail, headers={"Accept-Encoding": accepted})
    expected = request.headers.get("Expect")
    if expected is not None and expected.lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="expected 100-continue, or no Expect")
    if expected is not None and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with time_limit(limit_s):
            return await request.read()
    except TimeoutError:
        refusal: web.HTTPException = web.HTTPRequestTimeout()
        refusal.text = f"expected a body within {limit_s:g} s"
    except web.HTTPRequestEntityTooLarge as too_large:
        refusal = too_large
        refusal.text = f"expected a body of at most {MAX_BODY_BYTES} bytes"
    except BROKEN:
        refusal = web.HTTPBadRequest(text="expected a body as long as its head says, or in chunks")
    refusal.headers["Connection"] = "close"
    raise refusal


async def _ignore(_request: web.Request) -> None:
    """Leave an Expect header to `read_body`: aiohttp's own refusal is no problem of RFC 9457."""


def _problem(refused: web.HTTPException, detail: str) -> web.Response:
    ours = {"Content-Type": PROBLEM_TYPE, "Cache-Control": "no-store"}
    body = problem(HTTPStatus(refused.status), detail)
    return web.Response(status=refused.status, body=body, headers={**refused.headers, **ours})


async def _hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)  # its name and version
