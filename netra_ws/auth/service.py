"""The login service: ``POST /auth/login`` on a port of its own."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import Annotated, Self

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from netra_ws.auth import cors
from netra_ws.auth.failures import LoginFailures
from netra_ws.auth.http import Handler, HttpServer, Refused
from netra_ws.auth.metrics import LoginMetrics
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import User, UserStore
from netra_ws.decoding import decode
from netra_ws.errors import JsonError

logger = structlog.get_logger(__name__)

MAX_CONCURRENT_HASHES = 4
"""Passwords hashed at a time: one takes up to 64 MiB (RFC 9106, low-memory profile)."""

OVERLOAD_RETRY_S = 5.0
"""Seconds after which to try again when there are too many: a third of that work is then done."""

LOGIN = "/auth/login"

Credential = Annotated[str, Meta(max_length=1024)]


class LoginRequest(Struct, frozen=True):
    """The body of a login."""

    email: Credential
    password: Credential


_LOGIN = msgspec.json.Decoder(LoginRequest)


class LoginUser(Struct, frozen=True):
    """The user of a login; `id` is the `sub` of the token and the `user_id` of every event."""

    id: str
    email: str


class LoginResponse(Struct, frozen=True):
    """The answer to a login; `expires_in` in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    user: LoginUser

    def __repr__(self) -> str:
        """Name the user; never the token."""
        return f"{type(self).__name__}({self.user.id}, expires_in={self.expires_in})"


class AuthService:
    """The login service as an async context manager: it listens inside.

    Its limits are those of `tokens.settings`. Pages of `origins` may log in: those that may connect
    to the backend. Raises `ConfigurationError` on entering if the address cannot be listened on.
    """

    def __init__(self, users: UserStore, tokens: Tokens, host: str, port: int) -> None:
        self._users = users
        self._tokens = tokens
        self._settings = tokens.settings
        self.origins = set(tokens.settings.allowed_origins)
        self._metrics = LoginMetrics()
        self._failures = LoginFailures(self._settings)
        self._hashing = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._waiting = 0
        self._http = HttpServer(self._answer, self._settings, self._metrics, host, port)
        self._routes: dict[str, tuple[tuple[str, ...], Handler]] = {
            LOGIN: (("POST",), self._login),
            "/metrics": (("GET", "HEAD"), self._show_metrics),
        }

    @property
    def url(self) -> str:
        """The address that it listens on."""
        return self._http.url

    async def __aenter__(self) -> Self:
        """Listen; `url` then names the address."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening."""
        await self._http.__aexit__(*exc_info)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != LOGIN:
            return await self._route(request)
        allowed = cors.preflight(request, self.origins)
        if allowed is not None:
            return allowed
        try:
            response = await self._route(request)
        except Refused as refused:
            response = refused.response()
        response.headers.update(cors.granted(request, self.origins))
        return response

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        methods, handler = self._routes.get(request.path, ((), None))
        if handler is None:
            raise Refused(HTTPStatus.NOT_FOUND, "expected /auth/login or /metrics")
        if request.method not in methods:
            expected = f"expected {' or '.join(methods)}"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, expected, {"Allow": ", ".join(methods)})
        return await handler(request)

    async def _show_metrics(self, _request: web.BaseRequest) -> web.Response:
        headers = {"Content-Type": self._metrics.content_type, "Cache-Control": "no-store"}
        return web.Response(body=self._metrics.render(), headers=headers)

    async def _login(self, request: web.BaseRequest) -> web.Response:
        try:
            login = await self._read_login(request)
        except Refused:
            self._count("malformed")
            raise
        user = await self._authenticate(login, request.remote)
        response = LoginResponse(
            self._tokens.issue(user.id),
            "Bearer",
            int(self._tokens.lifetime_s),
            LoginUser(user.id, user.email),
        )
        self._count("accepted")
        logger.info("login", user_id=user.id)
        return web.json_response(
            body=msgspec.json.encode(response), headers={"Cache-Control": "no-store"}
        )

    async def _read_login(self, request: web.BaseRequest) -> LoginRequest:
        body = await self._http.read_body(request)
        try:
            return decode(body, _LOGIN, 'an object {"email", "password"}')
        except JsonError as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None

    async def _authenticate(self, login: LoginRequest, address: str | None) -> User:
        """Return the user of a login; raises `Refused`, in the same words for whatever is wrong.

        Whoever is refused has waited for `failed_login_s` at least, whether the email exists or
        not. Guarded by
        tests/integration/test_login_security.py::test_a_failed_login_does_not_tell_who_exists
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._waiting >= self._settings.max_waiting_logins:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise self._limited("max_waiting_logins", status, OVERLOAD_RETRY_S, login, address)
        bucket = self._failures.bucket(login.email, address, began)
        if not bucket.take(began):
            status, wait_s = HTTPStatus.TOO_MANY_REQUESTS, bucket.wait(began)
            raise self._limited("max_failed_logins", status, wait_s, login, address)
        self._waiting += 1
        self._metrics.waiting.inc()
        try:
            async with self._hashing:
                user = await asyncio.to_thread(
                    self._users.authenticate, login.email, login.password
                )
        finally:
            self._waiting -= 1
            self._metrics.waiting.dec()
        if user is None:
            await asyncio.sleep(began + self._settings.failed_login_s - loop.time())
            self._count("refused")
            logger.warning("login refused", email=login.email, address=address)
            raise Refused(HTTPStatus.UNAUTHORIZED, "wrong email or password")
        bucket.give_back()
        return user

    def _limited(
        self,
        limit: str,
        status: HTTPStatus,
        wait_s: float,
        login: LoginRequest,
        address: str | None,
    ) -> Refused:
        """Report a limit, and return its refusal."""
        self._count("limited")
        self._metrics.exceeded(limit, email=login.email, address=address)
        seconds = max(1, math.ceil(wait_s))
        detail = f"too many logins; try again in {seconds} s"
        return Refused(status, detail, {"Retry-After": str(seconds)})

    def _count(self, result: str) -> None:
        self._metrics.logins.labels(result).inc()
