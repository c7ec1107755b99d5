"""The login service: ``POST /auth/login`` on a port of its own."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Any

import msgspec
import structlog
from aiohttp import web
from argon2.exceptions import Argon2Error, InvalidHashError

from netra_ws.addresses import subscriber
from netra_ws.auth.cors import let_pages_post
from netra_ws.auth.failures import LoginFailures
from netra_ws.auth.http import HttpServer, read_body
from netra_ws.auth.login import LOGIN, LoginRequest, LoginResponse, LoginUser
from netra_ws.auth.metrics import LoginMetrics
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import User, UserStore
from netra_ws.decoding import decode
from netra_ws.errors import JsonError
from netra_ws.origins import Origins
from netra_ws.threads import Threads

logger = structlog.get_logger(__name__)

MAX_CONCURRENT_HASHES = 4
"""Passwords hashed at a time: one takes up to 64 MiB (RFC 9106, low-memory profile)."""

NOT_COMPUTED = (Argon2Error, InvalidHashError, MemoryError)
"""What argon2 raises for a hash that it cannot compute."""

OVERLOAD_RETRY_S = 5.0
"""Seconds after which to try again when there are too many: a third of that work is then done."""

ADDRESS_RETRY_S = 2.0
"""Seconds after which to try again when an address has too many: those are hashed by then."""

_LOGIN = msgspec.json.Decoder(LoginRequest)


class AuthService(HttpServer):
    """The login service as an async context manager: it listens inside.

    Its limits are those of `tokens.settings`. Pages of `origins` may log in: those that may connect
    to the backend.
    """

    def __init__(self, users: UserStore, tokens: Tokens, host: str, port: int) -> None:
        super().__init__(tokens.settings, LoginMetrics(), host, port)
        self.origins = Origins(self.settings.allowed_origins, self.settings.public_url)
        self.users = users
        self._tokens = tokens
        self._failures = LoginFailures(tokens.settings)
        self.threads = Threads("hashing", self.metrics, in_all=MAX_CONCURRENT_HASHES)
        self._waiting: Counter[str] = Counter()  # by what counts of their address
        self.metrics.waiting.set_function(self._waiting.total)
        self.app.middlewares.insert(0, let_pages_post(LOGIN, self.origins))
        self.add_route(LOGIN, self._login, "POST")
        self.add_route("/metrics", self._show_metrics, "GET", "HEAD")

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        self.threads.shutdown(wait=False, cancel_futures=True)  # or the process waits for them

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        headers = {"Content-Type": self.metrics.content_type, "Cache-Control": "no-store"}
        return web.Response(body=self.metrics.render(), headers=headers)

    async def _login(self, request: web.Request) -> web.Response:
        try:
            body = await read_body(request, self.settings.open_timeout_s)
            login = decode(body, _LOGIN, 'an object {"email", "password"}')
        except JsonError as error:
            self._count("malformed")
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        except web.HTTPException:
            self._count("malformed")
            raise
        user = await self._authenticate(login, self.address(request))
        self._count("accepted")
        logger.info("login", user_id=user.id)
        token, life_s = self._tokens.issue(user.id), int(self.settings.token_lifetime_s)
        response = LoginResponse(token, "Bearer", life_s, LoginUser(user.id, user.email))
        headers = {"Cache-Control": "no-store"}
        return web.json_response(body=msgspec.json.encode(response), headers=headers)

    async def _authenticate(self, login: LoginRequest, address: str) -> User:
        """Return the user of a login; a refusal has the same words for whatever is wrong.

        It comes after `failed_login_s` at least, whether the email exists or not.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        who = {"email": login.email, "address": address}
        counted = subscriber(address)
        if self._waiting[counted] >= self.settings.max_waiting_logins_per_address:
            said = self._limited("max_waiting_logins_per_address", ADDRESS_RETRY_S, who)
            raise web.HTTPTooManyRequests(**said)
        if self._waiting.total() >= self.settings.max_waiting_logins:
            said = self._limited("max_waiting_logins", OVERLOAD_RETRY_S, who)
            raise web.HTTPServiceUnavailable(**said)
        bucket = self._failures.bucket(login.email, address, began)
        if not bucket.take(began):
            said = self._limited("max_failed_logins", bucket.wait(began), who)
            raise web.HTTPTooManyRequests(**said)
        self._waiting[counted] += 1
        try:
            user = await loop.run_in_executor(
                self.threads, self.users.authenticate, login.email, login.password
            )
        except Exception as error:
            bucket.give_back()
            if not isinstance(error, NOT_COMPUTED):
                raise
            self._count("failed")
            logger.error("hash failed", **who, exc_info=error)
            text = "the password could not be checked; try again"
            retry = {"Retry-After": str(math.ceil(OVERLOAD_RETRY_S))}
            raise web.HTTPServiceUnavailable(text=text, headers=retry) from error
        finally:
            self._waiting -= Counter([counted])  # which forgets who has none left
        if user is None:
            await asyncio.sleep(began + self.settings.failed_login_s - loop.time())
            self._count("refused")
            logger.warning("login refused", **who)
            raise web.HTTPUnauthorized(text="wrong email or password")
        bucket.give_back()
        return user

    def _limited(self, limit: str, wait_s: float, who: dict[str, str]) -> dict[str, Any]:
        """Report a limit that was met, and return what its refusal says."""
        self._count("limited")
        self.metrics.exceeded(limit, **who)
        seconds = str(max(1, math.ceil(wait_s)))
        text = f"too many logins; try again in {seconds} s"
        return {"text": text, "headers": {"Retry-After": seconds}}

    def _count(self, result: str) -> None:
        self.metrics.logins.labels(result).inc()
