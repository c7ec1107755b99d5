"""A socket until its opening handshake is answered: every request gets an answer or a clean end.

websockets 17 reads bytes after a request as frames, closes a request that it cannot parse without
an answer, and allows a megabyte of headers. The methods of `ServerConnection` that are overridden
here are not in its documentation.

Guarded by ``tests/integration/test_malformed_http.py``, and by
``tests/integration/test_transport.py``, which fails when a version of websockets moves what is
used of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum, auto
from http import HTTPStatus
from typing import TypeAlias

from websockets.asyncio.server import Server, ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage
from websockets.protocol import State
from websockets.server import ServerProtocol

from netra_ws.metrics import Metrics
from netra_ws.settings import Settings
from netra_ws.wire.answer import no_room, refuse

END_OF_HEAD = b"\r\n\r\n"

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request; websockets bounds its lines and their number, which come to a megabyte."""

MAX_HELD_BYTES = 64 * 1024
"""Bytes kept of a client that goes on before its request has been answered; then it is not read."""


MALFORMED = "expected a well-formed HTTP/1.1 request without a body; logins go to the login service"


class Phase(Enum):
    """How far the opening handshake is."""

    REQUEST = auto()
    """Its request is not complete."""
    ANSWER = auto()
    """Its answer is being made; what comes meanwhile is held back."""
    REFUSED = auto()
    """It was answered, and nothing is to follow."""
    OPEN = auto()
    """It has succeeded."""


Pending: TypeAlias = "dict[OpeningSocket, None]"
"""The connections of a server that have not succeeded in their handshake, oldest first."""


class OpeningSocket(ServerConnection):
    """A connection that bounds what comes before its handshake; `begin` opens it."""

    # With more than 30 attributes in its dict each connection would have a table of its own.
    __slots__ = (
        "_ended_early",
        "_head_bytes",
        "_held",
        "_metrics",
        "_pending",
        "_phase",
        "_settings",
        "_tail",
        "_timer",
        "loop",
        "protocol",
        "transport",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        settings: Settings,
        metrics: Metrics,
        pending: Pending,
        write_limit: int | tuple[int, int | None],
    ) -> None:
        super().__init__(
            protocol,
            server,
            ping_interval=None,
            close_timeout=None,  # it waits only where this side closes first
            write_limit=write_limit,
        )
        self._settings = settings
        self._metrics = metrics
        self._pending = pending
        self._phase = Phase.REQUEST
        self._timer: asyncio.TimerHandle  # of this phase
        self._tail = b""
        self._head_bytes = 0
        self._held = bytearray()
        self._ended_early = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time that the request may take, and make room for it."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._settings.open_timeout_s, self._late)
        self._pending[self] = None
        if len(self._pending) > self._settings.max_pending_connections:
            next(iter(self._pending))._make_way()

    def _make_way(self) -> None:
        """End a connection that has been pending for longest.

        Not the newest one: those who ask as soon as they are connected, health checks among them,
        are answered although others only connect.

        Guarded by tests/integration/test_bounds.py::test_whoever_waits_longest_makes_room
        """
        del self._pending[self]
        if self.state is State.OPEN or self.transport.is_closing():
            return  # it is let in, and on the way to its handler; or it is about to go
        peer = self.transport.get_extra_info("peername")
        self._metrics.exceeded("max_pending_connections", code=503, peer=peer)
        if self._phase is Phase.REFUSED:  # it has its answer
            self.transport.abort()
        else:
            self._phase = Phase.REFUSED
            self.transport.write(no_room().serialize())
            self.transport.close()

    def _late(self) -> None:
        if not self.transport.is_closing():
            peer = self.transport.get_extra_info("peername")
            self._metrics.exceeded("open_timeout_s", code=408, peer=peer)
            self._answer(HTTPStatus.REQUEST_TIMEOUT, "expected a whole request by now")
            self.transport.close()

    def _answer(self, status: HTTPStatus, detail: str) -> None:
        self.transport.write(refuse(status, detail).serialize())

    def data_received(self, data: bytes) -> None:
        """Take bytes; hold back those after the request until it has been answered.

        Guarded by tests/integration/test_malformed_http.py::test_a_request_is_answered
        """
        if self._phase is Phase.OPEN:
            super().data_received(data)
        elif self._phase is Phase.REQUEST:
            self._read_request(data)
        elif self._phase is Phase.ANSWER:
            self._hold(data)

    def _read_request(self, data: bytes) -> None:
        seen = self._tail + data
        end = seen.find(END_OF_HEAD)
        if end < 0:
            self._tail = seen[1 - len(END_OF_HEAD) :]
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                detail = f"expected a request of at most {MAX_HEAD_BYTES} bytes"
                self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
                self.transport.write_eof()
                self._linger()
            else:
                super().data_received(data)
            return
        self._timer.cancel()
        self._phase = Phase.ANSWER
        end += len(END_OF_HEAD) - len(self._tail)
        super().data_received(data[:end])
        self._hold(data[end:])

    def _hold(self, data: bytes) -> None:
        if self._phase is Phase.ANSWER:  # else it has been refused at once
            self._held += data
            if len(self._held) > MAX_HELD_BYTES:
                self.transport.pause_reading()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own signature
        """Take the end of the stream; a client that has asked is answered all the same."""
        if self._phase is Phase.ANSWER:
            self._ended_early = True
            return True
        return super().eof_received()

    def send_data(self) -> None:
        """Write what is to be sent; a request that cannot be parsed gets an answer before it."""
        if self._phase in {Phase.REQUEST, Phase.ANSWER} and self._is_malformed():
            self._answer(HTTPStatus.BAD_REQUEST, MALFORMED)
        super().send_data()
        is_over = self.state is State.CONNECTING and self.protocol.close_expected()
        if is_over and self._phase is not Phase.REFUSED:
            self._linger()

    def _is_malformed(self) -> bool:
        failure = self.protocol.handshake_exc
        return (
            isinstance(failure, InvalidMessage)
            and not isinstance(failure.__cause__, EOFError)  # nobody is there to be answered
            and not self.transport.is_closing()
        )

    def _linger(self) -> None:
        """Read on for `close_timeout_s` after an answer, or until the client has ended, too.

        To close with bytes unread would reset the connection, and that can take an answer away
        from a client that has not read it yet (RFC 9112 section 9.6). Not to close at all would
        leave the socket to a client that stays.

        Guarded by tests/integration/test_malformed_http.py::test_no_refusal_leaves_a_socket_behind
        """
        self._phase = Phase.REFUSED
        self._held.clear()
        self._timer.cancel()
        if self._ended_early:
            self.transport.close()
        else:
            self.transport.resume_reading()
            self._timer = self.loop.call_later(self._settings.close_timeout_s, self.transport.abort)

    def begin(self) -> None:
        """Go on after the opening handshake with what was held back.

        Guarded by
        tests/integration/test_malformed_http.py::test_frames_behind_the_upgrade_are_frames
        """
        self._phase = Phase.OPEN
        self._pending.pop(self, None)
        self._forget_handshake()
        held = bytes(self._held)
        self._held.clear()
        self.transport.resume_reading()
        if held:
            self.data_received(held)
        if self._ended_early:
            self.eof_received()
            self.transport.close()

    def _forget_handshake(self) -> None:
        """Let the headers go: they are 4 KiB of an idle connection, the token among them."""
        for message in (self.request, self.response):
            if message is not None:
                message.headers = Headers()
        # It holds its connection, which would become garbage in place of going at its end.
        with suppress(AttributeError):
            del self.protocol.select_subprotocol

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        super().connection_lost(exc)
        self._timer.cancel()
        self._pending.pop(self, None)
