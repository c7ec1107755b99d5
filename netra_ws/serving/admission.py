"""Who may connect: a valid token, an allowed origin, a position that makes sense, and room."""

from __future__ import annotations

from collections.abc import Sized
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

import structlog
from websockets.datastructures import Headers
from websockets.http11 import Request

from netra_ws.auth.tokens import Tokens
from netra_ws.context import Claims, UserExecutionContext
from netra_ws.errors import TokenError
from netra_ws.event_log import Position
from netra_ws.manager import ManagerRegistry
from netra_ws.origins import Origins, preflight
from netra_ws.serving.handshake import bearer_token, requested_position
from netra_ws.wire.answer import Answer, no_room, refuse, response
from netra_ws.wire.opening import Opening

logger = structlog.get_logger(__name__)


class Admitted(NamedTuple):
    """A client who may connect: what its token says, and the position that it asked for."""

    claims: Claims
    context: UserExecutionContext
    position: Position | None


class Admission:
    """Decides on opening handshakes, and takes tokens out of use.

    The server adds its own address to `origins`; `connections` are those that are open.
    """

    def __init__(self, tokens: Tokens, registry: ManagerRegistry, connections: Sized) -> None:
        settings = registry.settings
        self.origins = Origins(settings.allowed_origins, settings.public_url)
        self._connections = connections
        self._tokens = tokens
        self._registry = registry

    def admit(self, request: Request, opening: Opening) -> Admitted | Answer:
        """Return who is to be let in now, or why a client may not connect."""
        headers = request.headers
        try:
            claims = self._tokens.verify(bearer_token(headers))
        except TokenError as error:
            return self._refuse_token(error, opening)
        user_id = claims.user_id
        origins = headers.get_all("Origin")
        if origins and not self.origins.grant(origins):
            who = {"user_id": user_id, "address": opening.address}
            self._registry.metrics.exceeded("allowed_origins", code=403, origins=origins, **who)
            return refuse(HTTPStatus.FORBIDDEN, "this origin may not connect")
        try:
            position = requested_position(request.path.partition("?")[2])
        except ValueError as error:
            return refuse(HTTPStatus.BAD_REQUEST, str(error))
        return self.full(user_id) or Admitted(claims, UserExecutionContext(user_id), position)

    def full(self, user_id: str | None = None) -> Answer | None:
        """Return the refusal of a connection if there is no room for it."""
        if len(self._connections) < self._registry.settings.max_connections:
            return None
        self._registry.metrics.exceeded("max_connections", code=503, user_id=user_id)
        return no_room()

    async def revoke(self, request: Request, opening: Opening) -> Answer:
        """``POST /ws/revoke``: refuse the bearer token from now on, end its connections."""
        if request.method == "OPTIONS" and self._lets_post(request.headers):
            standard = {"Date": formatdate(usegmt=True), "Connection": "close"}
            return Answer(HTTPStatus.NO_CONTENT, standard | preflight("Authorization"), b"")
        if request.method != "POST":
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected POST", {"Allow": "POST"})
        try:
            claims = self._tokens.revoke(bearer_token(request.headers))
        except TokenError as error:
            return self._refuse_token(error, opening)
        logger.info("token revoked", user_id=claims.user_id)
        await self._registry.revoke(claims.user_id, claims.token_id)
        return response(HTTPStatus.OK, b"{}", "application/json")

    def _lets_post(self, headers: Headers) -> bool:
        asked = headers.get_all("Access-Control-Request-Method")
        return asked == ["POST"] and self.origins.grant(headers.get_all("Origin"))

    @staticmethod
    def _refuse_token(error: TokenError, opening: Opening) -> Answer:
        logger.warning("token refused", reason=str(error), address=opening.address)
        challenge = {"WWW-Authenticate": 'Bearer realm="netra-ws"'}
        return refuse(HTTPStatus.UNAUTHORIZED, "expected a valid bearer token", challenge)
