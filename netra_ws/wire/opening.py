"""A connection until its request is answered: it gets an answer or a clean end.

The picture of all phases is in `netra_ws.wire`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import cast

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from netra_ws.context import Claims
from netra_ws.deadline import Deadline
from netra_ws.wire import frames
from netra_ws.wire.answer import Answer, no_room, refuse
from netra_ws.wire.port import Port
from netra_ws.wire.socket import Socket

END_OF_HEAD = b"\r\n\r\n"

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request; websockets bounds its lines and their number, which come to a megabyte."""

MAX_HELD_BYTES = 64 * 1024
"""Bytes kept of a client that goes on before its request has been answered; then it is not read."""

EMPTY_LINE = b"\r\n"
"""One before the request is passed over (RFC 9112 section 2.2)."""

MALFORMED = "expected a well-formed HTTP/1.1 request without a body; logins go to the login service"

UPGRADE_HEADERS = ("Upgrade", "Sec-WebSocket-Version")
"""What a refusal of websockets tells a client that could do better (RFC 6455 section 4.4)."""


Phase = Enum("Phase", ["REQUEST", "ANSWER", "REFUSED"])


@dataclass(slots=True, eq=False, repr=False)
class Opening(asyncio.Protocol):
    """The first protocol of a connection; `accept` puts a `Socket` in its place."""

    _port: Port
    _phase: Phase = Phase.REQUEST
    _head_bytes: int = 0
    _start: bytes | None = b""
    """What came while it can still be an empty line."""
    _tail: bytes = b""
    _held: bytearray = field(default_factory=bytearray)
    """What came after the request, until it is answered: websockets would read frames."""
    _request: Request | None = None
    _has_ended: bool = False
    """Whether the client has said all that it will."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _protocol: ServerProtocol = field(init=False)
    _serving: asyncio.Task[None] = field(init=False)
    _timer: Deadline = field(init=False)
    _transport: asyncio.Transport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time that the request may take, and make room for it."""
        port = self._port
        self._protocol = ServerProtocol(max_size=port.settings.max_message_bytes)
        self._transport = cast("asyncio.Transport", transport)
        self._timer = Deadline(port.settings.open_timeout_s, self._late)
        port.pending[self] = None
        if len(port.pending) > port.settings.max_pending_connections:
            next(iter(port.pending)).make_way()

    def data_received(self, data: bytes) -> None:
        """Take bytes; what comes after a refusal is thrown away."""
        if self._phase is Phase.REQUEST:
            self._read_request(data)
        elif self._phase is Phase.ANSWER:
            self._hold(data)

    def _read_request(self, data: bytes) -> None:
        if self._start is not None:
            data = self._start + data
            if data == EMPTY_LINE[:1]:
                self._start = data
                return
            self._start = None
            data = data.removeprefix(EMPTY_LINE)
        seen = self._tail + data
        found = seen.find(END_OF_HEAD)
        end = len(data) if found < 0 else found + len(END_OF_HEAD) - len(self._tail)
        self._tail = seen[1 - len(END_OF_HEAD) :]
        self._head_bytes += end
        if self._head_bytes > MAX_HEAD_BYTES:
            detail = f"expected a request of at most {MAX_HEAD_BYTES} bytes"
            answer = refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
            self.end_with(answer.status, answer.serialize())
            return
        if found >= 0:
            self._phase = Phase.ANSWER
            self._timer.cancel()
        self._parse(data[:end])
        self._hold(data[end:])

    def _parse(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for request in protocol.events_received():
            assert isinstance(request, Request)
            self._request = request
            self._serving = self._loop.create_task(self._port.serve(self, request))
        failure = protocol.handshake_exc
        if failure is not None:
            status = HTTPStatus.BAD_REQUEST
            words = b"".join(protocol.data_to_send())  # it has some for what is too long
            if words:
                status = HTTPStatus(int(words.split(maxsplit=2)[1]))
            elif not isinstance(failure.__cause__, EOFError):  # that is no HTTP at all
                words = refuse(status, MALFORMED).serialize()
            self.end_with(status, words)

    def _hold(self, data: bytes) -> None:
        if self._phase is Phase.ANSWER:  # else it has been refused at once
            self._held += data
            if len(self._held) > MAX_HELD_BYTES:
                self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Take the end of the stream; a client that has asked is answered all the same."""
        self._has_ended = True
        return self._phase is Phase.ANSWER

    @property
    def waits(self) -> bool:
        """Whether somebody is there who is to be answered."""
        return self._phase is Phase.ANSWER and not self._transport.is_closing()

    @property
    def address(self) -> str:
        """The address of the client."""
        proxies, peer = self._port.proxies, self._transport.get_extra_info("peername")
        lines = self._request.headers.get_all(proxies.header) if self._request else ()
        return proxies.client(peer and peer[0], lines)

    def accept(
        self, request: Request, subprotocol: Subprotocol | None, claims: Claims | None
    ) -> Socket | Answer:
        """Let a client in that `waits`; or return the refusal of a handshake that will not do.

        Its words are our own: websockets repeats the header that it refuses, and the token can
        stand in it.
        """
        protocol = self._protocol
        response = protocol.accept(request)
        headers = response.headers
        if protocol.handshake_exc is not None:
            detail = "expected the opening handshake of RFC 6455, version 13"
            more = {name: headers[name] for name in UPGRADE_HEADERS if name in headers}
            return refuse(HTTPStatus(response.status_code), detail, more)
        if subprotocol is not None:
            headers["Sec-WebSocket-Protocol"] = subprotocol
        protocol.send_response(response)
        request.headers = Headers()  # 4 KiB of an idle connection, the token among them
        port = self._port
        del port.pending[self]
        return Socket(port, self._transport, protocol, claims, bytes(self._held), self._has_ended)

    def make_way(self) -> None:
        """End a connection that has been pending for longest.

        Not the newest: who asks at once, as health checks do, is answered whoever else connects.
        """
        pending = self._port.pending
        pending[self] = pending.pop(self)  # the next to make way is another
        self._end_for("max_pending_connections", no_room())

    def _late(self) -> None:
        detail = "expected a whole request by now"
        self._end_for("open_timeout_s", refuse(HTTPStatus.REQUEST_TIMEOUT, detail))

    def _end_for(self, limit: str, answer: Answer) -> None:
        """End because of a limit, without waiting for the client; who has an answer gets none."""
        transport = self._transport
        if transport.is_closing():
            return
        peer = transport.get_extra_info("peername")
        code = answer.status.value
        self._port.metrics.exceeded(limit, code=code, peer=peer, address=self.address)
        self._port.refusals.count(code)
        if self._phase is Phase.REFUSED:
            transport.abort()
        else:
            self._phase = Phase.REFUSED
            transport.write(answer.serialize())
            transport.close()

    def end_with(self, status: int, answer: bytes) -> None:
        """Send an answer, or none; read on for `close_timeout_s`, or until the client has ended.

        To close with bytes unread would reset the connection, and that can take an answer away
        from a client that has not read it yet (RFC 9112 section 9.6). Not to close at all would
        leave the socket to a client that stays.
        """
        if status >= HTTPStatus.BAD_REQUEST:
            self._port.refusals.note(status, self.address)
        transport = self._transport
        self._phase = Phase.REFUSED
        self._held.clear()
        self._timer.cancel()
        self._timer = Deadline(self._port.settings.close_timeout_s, transport.abort)
        if answer:
            transport.write(answer)
        if self._has_ended:
            transport.close()
        else:
            transport.resume_reading()
            transport.write_eof()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """Let go of everything."""
        self._phase = Phase.REFUSED
        self._timer.cancel()
        port = self._port
        port.pending.pop(self, None)
        port.lost()
        frames.forget(self._protocol, self._protocol.handshake_exc)
