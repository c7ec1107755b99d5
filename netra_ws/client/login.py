"""How a client logs in."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from netra_ws.auth.login import LOGIN, LoginResponse
from netra_ws.decoding import decode
from netra_ws.errors import JsonError, LoginError
from netra_ws.wire.urls import is_here, service_url

LOGIN_TIMEOUT_S = 10.0
"""Seconds that the login service has for its answer."""

# Made once, and not by several threads at a time, which ends the process (msgspec 0.22).
_ANSWER = msgspec.json.Decoder(LoginResponse)


async def login(auth_url: str, email: str, password: str) -> LoginResponse:
    """Return what the login service at `auth_url` answers.

    Raises `ConfigurationError` for an `auth_url` that is none, `LoginError` if the service
    refuses, cannot be reached within `LOGIN_TIMEOUT_S`, or answers something that is not a login.
    A redirect is no login: the password goes nowhere but to `auth_url`.
    """
    import aiohttp  # it takes longer than all else here, and a client with a token needs none

    timeout = aiohttp.ClientTimeout(total=LOGIN_TIMEOUT_S)
    url = service_url(auth_url) + LOGIN
    given = {"email": email, "password": password}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=not is_here(url)) as http,
            http.post(url, json=given, allow_redirects=False) as response,
        ):
            body = await response.read()
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
        msg = f"{url} did not answer ({type(error).__name__}); is the login service running?"
        raise LoginError(msg) from error
    if response.status != HTTPStatus.OK:
        is_refused = response.status == HTTPStatus.UNAUTHORIZED
        hint = "check email and password" if is_refused else "is this the login service?"
        if to := response.headers.get("Location"):
            hint = f"it leads to {to!r}; give that address if you trust it with the password"
        msg = f"{url} answered {response.status}, expected 200; {hint}"
        # The cause carries the headers: a Retry-After among them is honoured.
        raise LoginError(msg, response.status) from aiohttp.ClientResponseError(
            response.request_info, (), status=response.status, headers=response.headers
        )
    try:
        return decode(body, _ANSWER, "a login")
    except JsonError as error:
        msg = f"{url} answered something that is not a login: {error}"
        raise LoginError(msg, response.status) from error
