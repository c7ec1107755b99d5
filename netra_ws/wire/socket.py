"""The server's end of an open socket, with a bound for every wait and every buffer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from netra_ws.context import Claims
from netra_ws.deadline import Deadline
from netra_ws.decoding import not_utf8
from netra_ws.errors import CloseCode
from netra_ws.wire import frames
from netra_ws.wire.ending import code_of, refused_size, shut
from netra_ws.wire.keepalive import Keepalive
from netra_ws.wire.listener import Listener
from netra_ws.wire.port import Port
from netra_ws.wire.rates import TokenBucket

LARGE_READ_BYTES = 64 * 1024
"""Bytes at once after which others have their turn: while they fill its buffer, uvloop reads up to
8 MiB of one client in a turn of the loop, which takes seconds if they are small frames."""

FRAMES_A_TURN = 512
"""Frames of one client after which others have their turn, small texts that are whole aside: a
read of 256 KiB can hold 43,000 fragments without a byte, which take half a second (measured)."""


@dataclass(slots=True, eq=False, repr=False)
class Socket(asyncio.Protocol):
    """An open connection: it hands the messages of its client to a listener, where it parses them.

    A task that received them would be a fifth of what a run of five events costs (measured).
    """

    port: Port
    transport: asyncio.Transport
    _protocol: ServerProtocol
    claims: Claims | None
    """What the client's token said at the opening; an echo has none."""
    _held: bytes  # what the client said that has not been heard yet
    _has_ended: bool  # whether that was all
    ending: bool = False
    """Whether it was decided that this connection ends: nothing more is written or heard."""
    listener: Listener | None = None
    on_stall: Callable[[], object] | None = None
    """What to do where a write has stalled for too long, in place of a cut with 4001."""
    _waits: bool = False
    _is_deaf: bool = False
    _is_cut: bool = False
    _is_sealed: bool = False
    _frame: frames.Boundary = field(default_factory=frames.Boundary)
    _fragments: list[bytes] | None = None
    _is_text: bool = True
    _pings: TokenBucket | None = None
    _unanswered: int = 0  # pings whose pong has not come
    _stalling: Deadline | None = None
    _closing: Deadline | None = None
    last_heard: float = field(init=False)
    """See `Pinged`."""
    _keepalive: Keepalive = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        """Send the answer that opens it; nothing is read before somebody listens."""
        port = self.port
        self.last_heard = self._loop.time()
        self._keepalive = Keepalive(port.settings, self)
        port.sockets.add(self)
        port.metrics.connections.inc()
        self.transport.pause_reading()
        self.transport.set_protocol(self)
        self.transport.set_write_buffer_limits(port.settings.write_high_water_bytes)
        self._send()

    @property
    def remote_address(self) -> Any:
        """The address of the client."""
        return self.transport.get_extra_info("peername")

    def listen(self, listener: Listener) -> None:
        """Tell `listener` what the client says, and what happens, from now on."""
        if self in self.port.sockets:
            self.listener = listener
            self._read_held()
        else:
            listener.lost()

    def _read_held(self) -> None:
        held, self._held = self._held, b""
        has_ended, self._has_ended = self._has_ended, False
        self.resume_reading()
        if held:
            self.data_received(held)
        if self._held:
            self._has_ended = has_ended
        elif has_ended:
            self.eof_received()
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes, which are a sign of life, unless nobody listens any more."""
        self.last_heard = self._loop.time()
        start, size, left = 0, len(data), FRAMES_A_TURN
        while start < size and left and not self._is_deaf:
            if not self._frame and self._fragments is None:
                texts, start = frames.unpack(data, start, self.port.settings.max_message_bytes)
                for message in texts:
                    self._deliver(message, True)
            if start < size:
                start = self._feed(data, start)
                left -= 1
        if not left and not self._is_deaf:
            self._held = data[start:]
        if self._held or size >= LARGE_READ_BYTES:
            self.transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _feed(self, data: bytes, start: int) -> int:
        """Feed one frame, so that all before a close or a fault is heard; return where it ends."""
        try:
            end = self._frame.advance(data, start)
        except ValueError as fault:
            if not self.ending:
                self._break_off(CloseCode.PROTOCOL_ERROR, str(fault))
            return len(data)
        self._protocol.receive_data(data[start:end])
        events = self._protocol.events_received()
        self._send()
        for frame in events:
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PING or frame.opcode is Opcode.PONG:
                self._count_ping(frame.opcode)
            elif frame.opcode is not Opcode.CLOSE:
                self._assemble(frame)
        return end

    def _read_on(self) -> None:
        if not self._waits:
            self._read_held()

    def pause_reading(self) -> None:
        """Read nothing more of the client until `resume_reading`, or the end."""
        self._waits = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, in a turn of its own what is held."""
        self._waits = False
        if self._held:
            self._loop.call_soon(self._read_on)
        else:
            self.transport.resume_reading()

    def _count_ping(self, opcode: Opcode) -> None:
        """Count a ping, which is answered by now, or a pong that nobody asked for."""
        if opcode is Opcode.PONG and self._unanswered:
            self._unanswered -= 1
            return
        rate, window_s = self.port.settings.max_pings_per_s, self.port.settings.rate_window_s
        if self._pings is None:
            self._pings = TokenBucket(rate, rate * window_s, self.last_heard)
        pings, now = self._pings, self.last_heard
        if not (pings.take(now) or self.port.absence.excuses(pings, now)):
            self.cut_too_fast("max_pings_per_s", rate)

    def _assemble(self, frame: Frame) -> None:
        """Put a message together; websockets checks the order of its frames, and their bytes."""
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        fragments = self._fragments or []
        fragments.append(bytes(frame.data))
        self._fragments = None if frame.fin else fragments
        if frame.fin:
            self._deliver(b"".join(fragments), self._is_text)
        elif len(fragments) >= frames.MAX_FRAGMENTS and not self.ending:
            self._break_off(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def _deliver(self, message: bytes, is_text: bool) -> None:
        if self.ending or self.listener is None:
            return
        try:
            self.listener.hear(message.decode() if is_text else message)
        except UnicodeDecodeError as error:
            self._break_off(CloseCode.INVALID_DATA, not_utf8(error))
        except Exception as error:
            self.fail(error)

    def ping(self) -> None:
        """See `Pinged`."""
        self._unanswered += 1
        self._protocol.send_ping(b"")
        self._send()

    @property
    def is_heard(self) -> bool:
        """See `Pinged`."""
        return self._stalling is None and self.listener is not None

    @property
    def is_read(self) -> bool:
        """Whether what the client says is read now."""
        return not self._waits

    def cut_silent(self) -> None:
        """See `Pinged`."""
        reason = f"no byte for {self.port.settings.ping_timeout_s:g} s after a ping"
        self.cut("ping_timeout_s", CloseCode.INTERNAL_ERROR, reason)

    @property
    def is_open(self) -> bool:
        """Whether what is written now may still arrive."""
        return not self.ending and not self.transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """Bytes in the buffer, that the system has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def room(self) -> int:
        """Bytes up to the high-water mark, one at least; 0 where nothing may be written."""
        transport = self.transport
        if self._stalling is not None or self.ending or transport.is_closing():
            return 0
        unsent = transport.get_write_buffer_size()
        return max(1, self.port.settings.write_high_water_bytes - unsent)

    def write(self, messages: Iterable[bytes]) -> None:
        """Hand messages of any size to the system in one call, while there is `room`."""
        data = frames.pack(messages)
        keepalive = self._keepalive
        if keepalive.unsent_at_ping is not None:
            keepalive.unsent_at_ping += len(data)
        self.transport.write(data)

    def write_binary(self, message: bytes) -> None:
        """Hand one message to the system that is no text."""
        self._protocol.send_binary(message)
        self._send()

    def _send(self) -> None:
        """Write what websockets has to say; once that is a close frame, the time is limited."""
        for data in self._protocol.data_to_send():
            if data:
                if not self._is_sealed:
                    self.transport.write(data)
            elif not self.transport.is_closing():
                self.transport.write_eof()
        if self._protocol.close_expected():
            self._limit_closing()

    def pause_writing(self) -> None:
        """Start the time that the buffer may stay above its high-water mark."""
        self._stalling = Deadline(self.port.settings.write_timeout_s, self._stalled)

    def _stalled(self) -> None:
        if self.on_stall is not None:
            self.on_stall()
        else:
            reason = f"a write stalled for more than {self.port.settings.write_timeout_s:g} s"
            self.cut("write_timeout_s", CloseCode.SLOW_CONSUMER, reason)

    def resume_writing(self) -> None:
        """Say that the buffer has drained."""
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None
        if self.listener is not None:
            self.listener.drained()

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Start the closing handshake, without waiting; the first call decides the code."""
        if not self.ending:
            self._limit_closing()
            self._read_held()  # or the client's own close frame stays unread
            if self._protocol.state is State.OPEN and not self.transport.is_closing():
                self._protocol.send_close(code, reason)
                self._send()

    def cut(self, limit: str, code: CloseCode, reason: str) -> None:
        """Close because the connection met `limit`; what it has not read waits in the log."""
        if not self.ending:
            self._is_cut = True
            self._exceeded(limit, code=int(code), reason=reason)
            self.close(code, reason)

    def cut_too_fast(self, limit: str, rate: float) -> None:
        """Close on a client that sends too fast, and listen to it no more."""
        self.cut(limit, CloseCode.TOO_FAST, f"more than {rate:g} per second")
        self._is_deaf = True

    def fail(self, error: Exception) -> None:
        """Close because of an exception of the route: with 1011 and an empty reason."""
        self.port.metrics.failed("/ws", error)
        self.close(CloseCode.INTERNAL_ERROR)

    def abort(self) -> None:
        """Drop the connection at once, unsent bytes included."""
        self.ending = True
        self.transport.abort()

    def seal(self) -> None:
        """Let nothing of ours out that the system has not taken by now."""
        self._is_sealed = True
        if self.unsent_bytes and self in self.port.sockets:  # else its number is another's
            shut(self.transport)
            self.abort()

    def _break_off(self, code: CloseCode, reason: str) -> None:
        """Close on a client that breaks the protocol (RFC 6455 section 7.1.7)."""
        self._protocol.fail(code, reason)
        self._send()

    def _limit_closing(self) -> None:
        if not self.ending:
            self.ending = True
            self.resume_reading()  # or the client's end stays unread
            self._keepalive.stop()
            self._closing = Deadline(self.port.settings.close_timeout_s, self._give_up)
            if self.listener is not None:
                self.listener.drained()  # nobody is to wait for it any longer

    def _give_up(self) -> None:
        if not (self._is_cut or refused_size(self._closed())):  # then a limit has been named
            self._exceeded("close_timeout_s", peer=self.remote_address)
        self.transport.abort()

    def _exceeded(self, limit: str, **fields: Any) -> None:
        self.port.metrics.exceeded(limit, **fields, user_id=self.claims and self.claims.user_id)

    def eof_received(self) -> None:
        """Take the end of the stream; what is unsent has `close_timeout_s` to be read."""
        self._protocol.receive_eof()
        self._limit_closing()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count the end, and let go of everything."""
        self.ending = True
        self._held = b""
        self._keepalive.stop()
        del self._keepalive  # the two hold each other
        for deadline in (self._stalling, self._closing):
            if deadline is not None:
                deadline.cancel()
        end = self._closed()
        metrics = self.port.metrics
        metrics.connections.dec()
        metrics.disconnects.labels(code_of(end)).inc()
        if refused_size(end):
            self._exceeded("max_message_bytes", code=int(CloseCode.MESSAGE_TOO_BIG))
        self.port.sockets.discard(self)
        self.port.lost()
        frames.forget(self._protocol, end)
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.lost()

    def _closed(self) -> ConnectionClosed:
        self._protocol.receive_eof()  # harmless when repeated
        return self._protocol.close_exc
