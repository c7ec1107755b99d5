"""What a client says in the opening handshake."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.typing import Subprotocol

from netra_ws.errors import TokenError
from netra_ws.event_log import Position
from netra_ws.messages import SUBPROTOCOL

BEARER_SUBPROTOCOL = "bearer."


def bearer_token(headers: Headers) -> str:
    """Return the token of ``Authorization: Bearer`` or of the subprotocol ``bearer.TOKEN``.

    Raises `TokenError` if there is none, or more than one header. Never looks at the query:
    addresses end up in logs.

    Guarded by
    tests/integration/test_session_security.py::test_a_token_in_the_query_is_not_looked_at
    """
    match headers.get_all("Authorization"):
        case []:
            pass
        case [line]:
            scheme, _, token = line.partition(" ")
            if scheme.lower() == "bearer" and token:
                return token.strip()
        case _:
            raise TokenError("more than one Authorization header")
    for line in headers.get_all("Sec-WebSocket-Protocol"):
        for offered in line.split(","):
            if offered.strip().startswith(BEARER_SUBPROTOCOL):
                return offered.strip().removeprefix(BEARER_SUBPROTOCOL)
    msg = "no bearer token, expected an Authorization header or the subprotocol bearer.TOKEN"
    raise TokenError(msg)


def requested_position(query: str) -> Position | None:
    """Return the position in a query ``epoch=E&seq=N``; raises `ValueError` for half of one."""
    fields = parse_qs(query, keep_blank_values=True)
    if "epoch" not in fields and "seq" not in fields:
        return None
    try:
        (epoch,), (seq,) = fields["epoch"], fields["seq"]
        if not (epoch and seq.isascii() and seq.isdigit()):
            raise ValueError
        return Position(epoch, int(seq))
    except (KeyError, ValueError):
        msg = "expected both epoch and a seq of 0 or more, once each, or neither"
        raise ValueError(msg) from None


def choose_subprotocol(
    _socket: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Return `SUBPROTOCOL` if it was offered, and never the one with the token in it."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None
