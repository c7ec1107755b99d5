"""The messages that are no events: the client's, and the server's own, which are in no log."""

from __future__ import annotations

from typing import Annotated, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from websockets.typing import Subprotocol

from netra_ws.decoding import decode
from netra_ws.errors import JsonError

SUBPROTOCOL = Subprotocol("netra.v1")
"""The name of this conversation in ``Sec-WebSocket-Protocol``."""

MessageId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, description="What answers the message refers to it.")
]


class _Identified(Struct, frozen=True, kw_only=True):
    """What a client may give its message: `id`, by which the server's answers refer to it."""

    id: MessageId | UnsetType = UNSET


class UserMessage(_Identified, frozen=True, tag="user_message", forbid_unknown_fields=True):
    """Start a run on `content`, in `thread_id` or in the connection's own thread.

    With an `id` it may be sent again, on any connection: there is one run, and `message_known`
    names it. The server knows ids for `idle_log_s`, and a user's last 256 as long as the epoch.
    """

    content: str
    thread_id: str | None = None


class StopAgent(_Identified, frozen=True, tag="stop_agent", forbid_unknown_fields=True):
    """Cancel one of the user's own runs."""

    run_id: str


class Ping(_Identified, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Ask for a `pong`: for browsers, which cannot send the ping frames of the protocol."""


class RenewToken(_Identified, frozen=True, tag="renew_token", forbid_unknown_fields=True):
    """Go on under a newer token of the same user, before the one in use expires."""

    token: str


ClientMessage: TypeAlias = UserMessage | StopAgent | Ping | RenewToken

CLIENT_FIELDS = {
    str(one.__struct_config__.tag): one.__struct_fields__ for one in get_args(ClientMessage)
}
"""The fields of each message that a client may send."""

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def decode_client_message(message: str) -> ClientMessage:
    """Return the message of a client; raises `JsonShapeError` or `JsonError` as `decode` does."""
    return decode(message, _decoder, "user_message, stop_agent, ping or renew_token")


_id_decoder = msgspec.json.Decoder(_Identified)


def id_of(message: str | bytes) -> str | UnsetType:
    """Return the `id` in a message of a client, whatever else is wrong with it."""
    try:
        return decode(message, _id_decoder, "an id").id
    except JsonError:
        return UNSET


class OngoingRun(Struct, frozen=True):
    """A run that has not ended; `seq` is that of its `agent_started`."""

    run_id: str
    thread_id: str
    seq: int


class ConnectionReadyPayload(Struct, frozen=True):
    """Where delivery begins.

    `seq` is the position after which it continues. `recovered` is true if nothing lies between
    the position asked for and that one, false if something was lost, null if none was asked
    for. `lost` is how many events, null if that is not known. `runs`: those of the user that
    are going on, each with the `seq` of its `agent_started`.
    """

    connection_id: str
    epoch: str
    seq: int
    recovered: bool | None
    lost: int | None
    runs: list[OngoingRun] = []


class _Referring(Struct, frozen=True, kw_only=True):
    """What answers a message of a client: `ref` is its `id`, left out where it had none."""

    ref: str | UnsetType = UNSET


class ErrorPayload(_Referring, frozen=True):
    """`code`: stable, to act on. `message`: for people. `ref`: the `id` of what was refused."""

    code: str
    message: str


class PongPayload(_Referring, frozen=True):
    """`ref`: the `id` of the ping, left out where it had none."""


class TokenRenewedPayload(_Referring, frozen=True):
    """`expires_in`: whole seconds until the new token expires. `ref`: as in `pong`."""

    expires_in: int


class MessageKnownPayload(Struct, frozen=True):
    """`ref`: the `id` of the message. `run_id`: the run that it started when it first came."""

    ref: str
    run_id: str


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


class MessageKnown(Struct, frozen=True, tag="message_known"):
    """A `user_message` came again, and starts no second run."""

    timestamp: str
    payload: MessageKnownPayload


Answer: TypeAlias = Error | Pong | TokenRenewed | MessageKnown
