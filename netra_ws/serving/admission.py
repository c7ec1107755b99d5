"""Who may connect: a valid token, an allowed origin, a position that makes sense, and room."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from websockets.http11 import Request, Response

from netra_ws.auth.tokens import Tokens
from netra_ws.context import UserExecutionContext
from netra_ws.errors import TokenError
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.handshake import bearer_token, requested_position
from netra_ws.wire.answer import no_room, refuse, response
from netra_ws.wire.transport import Socket

logger = structlog.get_logger(__name__)


class Admission:
    """Decides on opening handshakes, and takes tokens out of use.

    The server adds its own address to `origins`.
    """

    def __init__(self, tokens: Tokens, registry: ManagerRegistry) -> None:
        self.origins = set(registry.settings.allowed_origins)
        self._admitted = 0
        self._tokens = tokens
        self._registry = registry

    def admit(self, socket: Socket, request: Request) -> Response | None:
        """Return why a client may not connect; `None` means welcome.

        Guarded by tests/integration/test_session_security.py::test_origins_are_compared_as_they_are
        """
        try:
            claims = self._tokens.verify(bearer_token(request.headers))
        except TokenError as error:
            return self._refuse_token(error)
        user_id = claims.user_id
        metrics = self._registry.metrics
        origins = request.headers.get_all("Origin")
        if origins and not (len(origins) == 1 and origins[0] in self.origins):
            metrics.exceeded("allowed_origins", code=403, origins=origins, user_id=user_id)
            return refuse(HTTPStatus.FORBIDDEN, "this origin may not connect")
        try:
            socket.position = requested_position(request.path.partition("?")[2])
        except ValueError as error:
            return refuse(HTTPStatus.BAD_REQUEST, str(error))
        full = self.take_in(socket, user_id)
        if full is None:
            socket.claims = claims
            socket.context = UserExecutionContext(user_id)
        return full

    def take_in(self, socket: Socket, user_id: str | None = None) -> Response | None:
        """Count a connection until it is lost; returns the refusal if there is no room for it."""
        if self._admitted >= self._registry.settings.max_connections:
            self._registry.metrics.exceeded("max_connections", code=503, user_id=user_id)
            return no_room()
        if not socket.lost:
            self._admitted += 1
            socket.on_lost = self._let_go
        return None

    def _let_go(self) -> None:
        self._admitted -= 1

    def revoke(self, request: Request) -> Response:
        """``POST /ws/revoke``: refuse the bearer token from now on, end its connections.

        Guarded by
        tests/integration/test_session_security.py::test_revoke_takes_a_post_with_a_good_token_once
        """
        if request.method != "POST":
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "expected POST", {"Allow": "POST"})
        try:
            claims = self._tokens.revoke(bearer_token(request.headers))
        except TokenError as error:
            return self._refuse_token(error)
        logger.info("token revoked", user_id=claims.user_id)
        self._registry.revoke(claims.user_id, claims.token_id)
        return response(HTTPStatus.OK, b"{}", "application/json")

    @staticmethod
    def _refuse_token(error: TokenError) -> Response:
        logger.warning("token refused", reason=str(error))
        challenge = {"WWW-Authenticate": 'Bearer realm="netra-ws"'}
        return refuse(HTTPStatus.UNAUTHORIZED, "expected a valid bearer token", challenge)
