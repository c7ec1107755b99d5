"""The messages that are no events: the client's, and the server's own, which are in no log."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct
from websockets.typing import Subprotocol

from netra_ws.decoding import decode

SUBPROTOCOL = Subprotocol("netra.v1")
"""The name of this conversation in ``Sec-WebSocket-Protocol``."""


class UserMessage(Struct, frozen=True, tag="user_message", forbid_unknown_fields=True):
    """Start a run on `content`, in `thread_id` or in the connection's own thread."""

    content: str
    thread_id: str | None = None


class StopAgent(Struct, frozen=True, tag="stop_agent", forbid_unknown_fields=True):
    """Cancel one of the user's own runs."""

    run_id: str


class Ping(Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Ask for a `pong`: for browsers, which cannot send the ping frames of the protocol."""


class RenewToken(Struct, frozen=True, tag="renew_token", forbid_unknown_fields=True):
    """Go on under a newer token of the same user, before the one in use expires."""

    token: str


ClientMessage: TypeAlias = UserMessage | StopAgent | Ping | RenewToken

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def decode_client_message(message: str) -> ClientMessage:
    """Return the message of a client; raises `JsonShapeError` or `JsonError` as `decode` does."""
    return decode(message, _decoder, "user_message, stop_agent, ping or renew_token")


class ConnectionReadyPayload(Struct, frozen=True):
    """Where delivery begins.

    `seq` is the position after which it continues. `recovered` is true if nothing lies between
    the position asked for and that one, false if something was lost, null if none was asked
    for. `lost` is how many events, null if that is not known.
    """

    connection_id: str
    epoch: str
    seq: int
    recovered: bool | None
    lost: int | None


class ErrorPayload(Struct, frozen=True):
    """`code`: stable, to act on. `message`: for people."""

    code: str
    message: str


class PongPayload(Struct, frozen=True):
    """Nothing."""


class TokenRenewedPayload(Struct, frozen=True):
    """`expires_in`: whole seconds until the new token expires."""

    expires_in: int


class ConnectionReady(Struct, frozen=True, tag="connection_ready"):
    """The first message of every connection."""

    timestamp: str
    payload: ConnectionReadyPayload


class Error(Struct, frozen=True, tag="error"):
    """A message of the client was refused; the connection lives on."""

    timestamp: str
    payload: ErrorPayload


class Pong(Struct, frozen=True, tag="pong"):
    """The answer to `ping`."""

    timestamp: str
    payload: PongPayload


class TokenRenewed(Struct, frozen=True, tag="token_renewed"):
    """The answer to `renew_token`; a token that will not do is answered with `Error`."""

    timestamp: str
    payload: TokenRenewedPayload
