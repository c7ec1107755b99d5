"""How a connection ends, and how it ended, as websockets tells it afterwards."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from netra_ws.errors import CloseCode

NO_CLOSE_FRAME = 1006
"""RFC 6455 section 7.1.5; never sent."""

KNOWN_CODES = {*range(1000, 1016), *CloseCode}
"""Those of RFC 6455 section 7.4.1 and our own. A client may close with thousands of others, and
each would be a series of the metric."""


def code_of(end: ConnectionClosed) -> int | str:
    """Return the code of the close frame that came first, ours or theirs, or "other"."""
    first = end.sent if end.sent and not end.rcvd_then_sent else end.rcvd
    code = first.code if first else NO_CLOSE_FRAME
    return code if code in KNOWN_CODES else "other"


def refused_size(end: ConnectionClosed) -> bool:
    """Return whether it was this side that found a message too large."""
    sent = end.sent
    return bool(sent and sent.code == CloseCode.MESSAGE_TOO_BIG and not end.rcvd_then_sent)


def shut(transport: asyncio.Transport) -> None:
    """Have the system take no more: uvloop writes what it can before it aborts.

    Its sockets do not offer `shutdown`, but their number.
    """
    system = socket.socket(fileno=transport.get_extra_info("socket").fileno())
    with suppress(OSError):  # the client has gone
        system.shutdown(socket.SHUT_WR)
    system.detach()
