"""The login service: ``POST /auth/login`` on a port of its own."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Self

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Meta, Struct

from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import UserStore
from netra_ws.errors import ConfigurationError
from netra_ws.problem import PROBLEM_TYPE, problem
from netra_ws.urls import base_url

logger = structlog.get_logger(__name__)

MAX_CONCURRENT_HASHES = 4
"""Passwords hashed at a time: one takes up to 64 MiB (RFC 9106, low-memory profile)."""

Credential = Annotated[str, Meta(max_length=1024)]


class LoginRequest(Struct, frozen=True):
    """The body of a login."""

    email: Credential
    password: Credential


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


def _problem(status: HTTPStatus, detail: str) -> web.Response:
    return web.Response(
        status=status, body=problem(status, detail), headers={"Content-Type": PROBLEM_TYPE}
    )


@web.middleware
async def _refuse_as_problem(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the refusals of aiohttp itself, such as 404 and 405, the form of all others."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        answer = _problem(HTTPStatus(refused.status), "expected POST /auth/login")
        if "Allow" in refused.headers:
            answer.headers["Allow"] = refused.headers["Allow"]
        return answer


async def _hide_version(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)


class AuthService:
    """The login service as an async context manager: it listens inside.

    Raises `ConfigurationError` on entering if the address cannot be listened on.
    """

    def __init__(self, users: UserStore, tokens: Tokens, host: str, port: int) -> None:
        self.url = ""
        self._users = users
        self._tokens = tokens
        self._host = host
        self._port = port
        self._hashing = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        app = web.Application(client_max_size=64 * 1024, middlewares=[_refuse_as_problem])
        app.on_response_prepare.append(_hide_version)
        app.router.add_post("/auth/login", self._login)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        """Listen; `url` then names the address."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            msg = f"cannot listen on {self._host} port {self._port}: {error.strerror}"
            raise ConfigurationError(f"{msg}; choose another --auth-port, or 0") from error
        self.url = base_url(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _login(self, request: web.Request) -> web.Response:
        try:
            login = msgspec.json.decode(await request.read(), type=LoginRequest)
        except msgspec.ValidationError as error:
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            detail = 'expected a JSON object {"email", "password"}'
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        async with self._hashing:
            user = await asyncio.to_thread(self._users.authenticate, login.email, login.password)
        if user is None:
            logger.warning("login refused", email=login.email)
            return _problem(HTTPStatus.UNAUTHORIZED, "wrong email or password")
        response = LoginResponse(
            self._tokens.issue(user.id),
            "Bearer",
            int(self._tokens.lifetime_s),
            LoginUser(user.id, user.email),
        )
        logger.info("login", user_id=user.id)
        return web.json_response(
            body=msgspec.json.encode(response), headers={"Cache-Control": "no-store"}
        )
