"""The login service: ``POST /auth/login`` on a port of its own."""

from __future__ import annotations

import asyncio
import math

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from netra_ws.auth import cors
from netra_ws.auth.failures import LoginFailures
from netra_ws.auth.http import HttpServer
from netra_ws.auth.login import LOGIN, LoginRequest, LoginResponse, LoginUser
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

_LOGIN = msgspec.json.Decoder(LoginRequest)


class AuthService(HttpServer):
    """The login service as an async context manager: it listens inside.

    Its limits are those of `tokens.settings`. Pages of `origins` may log in: those that may connect
    to the backend.
    """

    def __init__(self, users: UserStore, tokens: Tokens, host: str, port: int) -> None:
        self._metrics = LoginMetrics()
        super().__init__(tokens.settings, self._metrics, host, port)
        self.origins = set(tokens.settings.allowed_origins)
        self._users = users
        self._tokens = tokens
        self._failures = LoginFailures(tokens.settings)
        self._hashing = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._waiting = 0
        self._app.middlewares.insert(0, self._let_pages_read)
        self._app.router.add_post(LOGIN, self._login, expect_handler=_ignore)
        self._app.router.add_get("/metrics", self._show_metrics, expect_handler=_ignore)

    @web.middleware
    async def _let_pages_read(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != LOGIN:
            return await handler(request)
        preflight = cors.preflight(request, self.origins)
        response = await handler(request) if preflight is None else preflight
        response.headers.update(cors.granted(request, self.origins))
        return response

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        headers = {"Content-Type": self._metrics.content_type, "Cache-Control": "no-store"}
        return web.Response(body=self._metrics.render(), headers=headers)

    async def _login(self, request: web.Request) -> web.Response:
        try:
            login = await self._read_login(request)
        except web.HTTPException:
            self._count("malformed")
            raise
        user = await self._authenticate(login, request.remote)
        self._count("accepted")
        logger.info("login", user_id=user.id)
        token, life_s = self._tokens.issue(user.id), int(self._tokens.lifetime_s)
        response = LoginResponse(token, "Bearer", life_s, LoginUser(user.id, user.email))
        return web.json_response(
            body=msgspec.json.encode(response), headers={"Cache-Control": "no-store"}
        )

    async def _read_login(self, request: web.Request) -> LoginRequest:
        body = await self.read_body(request)
        try:
            return decode(body, _LOGIN, 'an object {"email", "password"}')
        except JsonError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None

    async def _authenticate(self, login: LoginRequest, address: str | None) -> User:
        """Return the user of a login; a refusal has the same words for whatever is wrong.

        It comes after `failed_login_s` at least, whether the email exists or not.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._waiting >= self._settings.max_waiting_logins:
            busy = web.HTTPServiceUnavailable
            raise self._limited(busy, "max_waiting_logins", OVERLOAD_RETRY_S, login, address)
        bucket = self._failures.bucket(login.email, address, began)
        if not bucket.take(began):
            often = web.HTTPTooManyRequests
            raise self._limited(often, "max_failed_logins", bucket.wait(began), login, address)
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
            raise web.HTTPUnauthorized(text="wrong email or password")
        bucket.give_back()
        return user

    def _limited(
        self,
        refusal: type[web.HTTPException],
        limit: str,
        wait_s: float,
        login: LoginRequest,
        address: str | None,
    ) -> web.HTTPException:
        """Report a limit, and return its refusal."""
        self._count("limited")
        self._metrics.exceeded(limit, email=login.email, address=address)
        seconds = max(1, math.ceil(wait_s))
        detail = f"too many logins; try again in {seconds} s"
        return refusal(text=detail, headers={"Retry-After": str(seconds)})

    def _count(self, result: str) -> None:
        self._metrics.logins.labels(result).inc()


async def _ignore(_request: web.Request) -> None:
    """Leave the answer to an Expect header to `read_body`.

    aiohttp's own is not a problem of RFC 9457; where there is no route it can not be replaced.
    """
