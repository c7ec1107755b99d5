"""What a client says in the opening handshake."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs

from websockets.datastructures import Headers
from websockets.typing import Subprotocol

from netra_ws.errors import TokenError
from netra_ws.event_log import START, Position
from netra_ws.messages import SUBPROTOCOL

BEARER_SUBPROTOCOL = "bearer."


def bearer_token(headers: Headers) -> str:
    """Return the token of ``Authorization: Bearer`` or of the subprotocol ``bearer.TOKEN``.

    Raises `TokenError` if there is none, or more than one header. Never looks at the query:
    addresses end up in logs.
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
    for offered in _offered(headers):
        if offered.startswith(BEARER_SUBPROTOCOL):
            return offered.removeprefix(BEARER_SUBPROTOCOL)
    msg = "no bearer token, expected an Authorization header or the subprotocol bearer.TOKEN"
    raise TokenError(msg)


def requested_position(query: str) -> Position | None:
    """Return the position in a query ``epoch=E&seq=N``, or `START` of ``seq=0``.

    Raises `ValueError` for half of a position.
    """
    if not query:
        return None
    fields = parse_qs(query, keep_blank_values=True)
    if "epoch" not in fields and "seq" not in fields:
        return None
    try:
        (seq,) = fields["seq"]
        if not (seq.isascii() and seq.isdigit()):
            raise ValueError
        if "epoch" not in fields and int(seq) == 0:
            return START
        (epoch,) = fields["epoch"]
        if not epoch:
            raise ValueError
        return Position(epoch, int(seq))
    except (KeyError, ValueError):
        msg = "expected both epoch and a seq of 0 or more, once each; seq=0 alone; or neither"
        raise ValueError(msg) from None


def choose_subprotocol(headers: Headers) -> Subprotocol | None:
    """Return `SUBPROTOCOL` if it was offered, and never the one with the token in it."""
    return SUBPROTOCOL if SUBPROTOCOL in _offered(headers) else None


def _offered(headers: Headers) -> Iterator[str]:
    """Return the subprotocols that a client offers."""
    for line in headers.get_all("Sec-WebSocket-Protocol"):
        yield from map(str.strip, line.split(","))
