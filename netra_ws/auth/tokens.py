"""Bearer tokens: issued by the login service, verified by the backend."""

from __future__ import annotations

import time
from secrets import token_hex

import jwt

from netra_ws.context import check_login_id
from netra_ws.errors import ConfigurationError, ContextError, TokenError
from netra_ws.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "netra-ws"
ISSUER = "netra-ws-auth"
CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub")

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: a key of HS256 is at least as long as its hash."""


class Tokens:
    """Issues and verifies JSON web tokens (RFC 7519) with one shared secret.

    Raises `ConfigurationError` for a secret of less than `MIN_SECRET_BYTES` bytes, or not of text.
    """

    def __init__(self, secret: str, settings: Settings) -> None:
        if not secret.isprintable():
            raise ConfigurationError("the token secret is not text; set NETRA_WS_SECRET to some")
        size = len(secret.encode())
        if size < MIN_SECRET_BYTES:
            msg = f"the token secret has {size} bytes, expected at least {MIN_SECRET_BYTES}"
            raise ConfigurationError(f"{msg}; set NETRA_WS_SECRET to a random one")
        self._secret = secret
        self._lifetime_s = settings.token_lifetime_s
        self._leeway_s = settings.token_leeway_s

    @property
    def lifetime_s(self) -> float:
        """Seconds that a token is valid for."""
        return self._lifetime_s

    def issue(self, user_id: str) -> str:
        """Return a token for `user_id`; raises `ContextError` for an id no person can have."""
        now = time.time()
        claims = {
            "sub": check_login_id(user_id),
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime_s,
            "aud": AUDIENCE,
            "iss": ISSUER,
            "jti": token_hex(16),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> str:
        """Return the user id of a token; raises `TokenError` if anything at all is wrong with it.

        Every one of `CLAIMS` must be there: PyJWT alone accepts a token that never expires.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=self._leeway_s,
                options={"require": list(CLAIMS)},
            )
            return check_login_id(claims["sub"])
        except (jwt.InvalidTokenError, ContextError, UnicodeError) as error:
            raise TokenError(str(error)) from error
