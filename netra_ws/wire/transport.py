"""The server's end of an open socket: websockets, with a bound for every wait and every buffer.

websockets 17 leaves that to its user: an unread buffer grows without end, answers to ping frames
too, a pong that waits behind other messages counts as none, and a client that says close and keeps
the line keeps it for ever. The methods of `ServerConnection` that are overridden here are not in
its documentation.

Guarded by ``tests/integration/test_transport.py``, which fails when a version moves them, by
``tests/integration/test_slow_readers.py``, ``tests/unit/test_delivery_model.py`` and
``tests/integration/test_bounds.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from websockets.asyncio.server import Server
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from netra_ws.context import Claims, UserExecutionContext
from netra_ws.errors import CloseCode
from netra_ws.event_log import Position
from netra_ws.metrics import Metrics
from netra_ws.settings import Settings
from netra_ws.wire import frames
from netra_ws.wire.opening import Pending, Phase
from netra_ws.wire.rates import TokenBucket
from netra_ws.wire.reading import ReadingSocket

NO_CLOSE_FRAME = 1006
"""RFC 6455 section 7.1.5; never sent."""


def _nothing() -> None:
    pass


class Socket(ReadingSocket):
    """A connection, with what the opening handshake found out for the handler.

    Set `on_writable` to be called when the buffer has drained after `writable` was false, and
    `on_lost` for the end of the connection, however it comes. `verify` returns what a token says
    or raises `TokenError`.
    """

    __slots__ = (
        "_closing",
        "_dropping",
        "_is_cut",
        "_pinged",
        "_pings",
        "_stalling",
        "_unsent_at_ping",
        "claims",
        "context",
        "on_lost",
        "on_writable",
        "position",
        "verify",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        settings: Settings,
        metrics: Metrics,
        verify: Callable[[str], Claims],
        pending: Pending,
        write_limit: int | tuple[int, int | None],
    ) -> None:
        super().__init__(
            protocol,
            server,
            settings=settings,
            metrics=metrics,
            pending=pending,
            write_limit=write_limit,
        )
        self.verify = verify
        self.context: UserExecutionContext | None = None
        self.claims: Claims | None = None
        self.position: Position | None = None
        self.on_writable: Callable[[], None] = _nothing
        self.on_lost: Callable[[], None] = _nothing
        self._closing: asyncio.Task[None] | None = None
        self._dropping: asyncio.TimerHandle | None = None
        self._stalling: asyncio.TimerHandle | None = None
        capacity = settings.max_pings_per_s * settings.rate_window_s
        self._pings = TokenBucket(settings.max_pings_per_s, capacity, self._last_heard)
        self._pinged = False
        self._unsent_at_ping: int | None = None
        """Bytes before a ping that had to wait, and what was written after it."""
        self._is_cut = False

    def begin(self) -> None:
        """Go on after the opening handshake with what was held back, and keep alive."""
        if self._phase is Phase.ANSWER:
            self._timer = self.loop.call_later(self._settings.ping_interval_s, self._ping)
            super().begin()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own signature
        """Take the end of the stream; with bytes unsent the end is a matter of `close_timeout_s`.

        asyncio would wait without a limit for a reader that may never come.
        """
        keep = super().eof_received()
        if self._phase is Phase.OPEN and self.unsent_bytes:
            self.finish(CloseCode.NORMAL)
            return True
        return keep

    def process_event(self, event: Event) -> None:
        """Take a frame, and count the pings, each of which websockets has answered by now.

        A pong that nobody asked for counts as one: it takes as long to read.
        """
        is_ping = False
        if isinstance(event, Frame):
            is_ping = event.opcode is Opcode.PING
            if event.opcode is Opcode.PONG:
                is_ping, self._pinged = not self._pinged, False
        if is_ping:
            if not self._pings.take(self._last_heard):
                self.cut_too_fast("max_pings_per_s", self._settings.max_pings_per_s)
        else:
            super().process_event(event)

    # Keepalive

    def _ping(self) -> None:
        """Ping a client that has been silent for `ping_interval_s`; look again when others are.

        With 10,000 users who talk, pings and pongs would be a twentieth of the work (measured).
        """
        if self.state is not State.OPEN:
            return
        now = self.loop.time()
        due_s = self._last_heard + self._settings.ping_interval_s - now
        if due_s > 0:
            self._timer = self.loop.call_later(due_s, self._ping)
            return
        waits = self.unsent_bytes > 0
        self.protocol.send_ping(b"")
        self._pinged = True
        self.send_data()
        self._unsent_at_ping = self.unsent_bytes if waits else None
        self._timer = self.loop.call_later(self._settings.ping_timeout_s, self._check, now)

    def _check(self, pinged: float) -> None:
        """Drop a client of whom no byte came since the ping.

        Not above the high-water mark, where it may be us who do not read: a write that stalls has
        a clock of its own. Nor where the ping had to wait behind other bytes, and the system has
        taken some of them since.
        """
        before = self._unsent_at_ping
        self._unsent_at_ping = None
        is_read = before is not None and before > self.unsent_bytes
        silent = self._last_heard < pinged and not is_read
        if silent and self._stalling is None:
            reason = f"no byte for {self._settings.ping_timeout_s:g} s after a ping"
            self.cut("ping_timeout_s", CloseCode.INTERNAL_ERROR, reason)
        else:
            self._ping()

    # Writing

    @property
    def writable(self) -> bool:
        """Whether a message may be written: the buffer is below its high-water mark, no other
        message is on its way in fragments, and what is written now may still arrive.
        """
        return self._stalling is None and self.is_open and frames.may_write(self.protocol)

    @property
    def unsent_bytes(self) -> int:
        """Bytes in the buffer, that the system has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def room(self) -> int:
        """Bytes that can be written before the buffer is at its high-water mark."""
        unsent = self.transport.get_write_buffer_size()
        return max(0, self._settings.write_high_water_bytes - unsent)

    @property
    def is_open(self) -> bool:
        """Whether what is written now may still arrive."""
        return (
            self.protocol.state is State.OPEN
            and not self.ending
            and not self.transport.is_closing()  # between abort() and connection_lost()
        )

    def write(self, messages: Iterable[bytes]) -> None:
        """Hand messages to the system in one call, without waiting.

        Only while `writable`. Control frames are written where they arise, each as a whole, so
        nothing comes between the bytes of a message.
        """
        data = frames.pack(messages)
        if self._unsent_at_ping is not None:
            self._unsent_at_ping += len(data)
        self.transport.write(data)

    def pause_writing(self) -> None:
        """Start the time that the buffer may stay above its high-water mark."""
        super().pause_writing()
        self._stalling = self.loop.call_later(self._settings.write_timeout_s, self._stalled)

    def resume_writing(self) -> None:
        """Say that the buffer has drained."""
        super().resume_writing()
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None
        self.on_writable()

    def _stalled(self) -> None:
        reason = f"a write stalled for more than {self._settings.write_timeout_s:g} s"
        self.cut("write_timeout_s", CloseCode.SLOW_CONSUMER, reason)

    # The end

    def cut(self, limit: str, code: CloseCode, reason: str) -> None:
        """End the connection because it met `limit`; what it has not read waits in the log."""
        if not self.ending:
            user_id = self.context and self.context.user_id
            self._metrics.exceeded(limit, code=int(code), reason=reason, user_id=user_id)
            self._is_cut = True
            self.finish(code, reason)

    def cut_too_fast(self, limit: str, rate: float) -> None:
        """End the connection of a client that sends too fast, and listen to it no more."""
        self.cut(limit, CloseCode.TOO_FAST, f"more than {rate:g} per second")
        self.stop_reading()

    def finish(self, code: int, reason: str = "") -> None:
        """End the connection, without waiting for it; the first call decides the code."""
        if self._closing is None:
            self.ending = True
            self.begin()  # or the client's own close frame stays unread, as it does while
            self.resume_reading()  # a reply waits
            self._start_to_drop()
            self._closing = self.loop.create_task(super().close(code, reason))

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """End the connection, unless that has begun, and wait until it has ended."""
        self.finish(code, reason)
        assert self._closing is not None
        await asyncio.shield(self._closing)

    def revoke(self) -> None:
        """End the connection before anything more is sent to its client, unsent bytes included.

        What the kernel has taken cannot be had back.

        Guarded by
        tests/integration/test_session_security.py::test_a_revocation_throws_away_what_is_not_sent_yet
        """
        if self.unsent_bytes:
            self.ending = True
            self.transport.abort()
        else:
            self.finish(CloseCode.TOKEN_REVOKED, "the token was revoked")

    def send_data(self) -> None:
        """Write what is to be sent; once that has been a close frame, the time is limited."""
        super().send_data()
        if self.state is State.CLOSING:
            # websockets starts no clock where the client closes first, or breaks the protocol.
            self._start_to_drop()

    def _start_to_drop(self) -> None:
        if self._dropping is None and not self.lost:
            timeout = self._settings.close_timeout_s
            self._dropping = self.loop.call_later(timeout, self._drop)

    def _drop(self) -> None:
        if not (self._is_cut or self.refused_size):  # then a limit has been named already
            peer = self.transport.get_extra_info("peername")
            user_id = self.context and self.context.user_id
            self._metrics.exceeded("close_timeout_s", peer=peer, user_id=user_id)
        self.transport.abort()

    @property
    def ended_with(self) -> int:
        """The code of the close frame that came first, ours or theirs, or 1006 without any."""
        protocol = self.protocol
        ours_first = protocol.close_sent and not protocol.close_rcvd_then_sent
        frame = protocol.close_sent if ours_first else protocol.close_rcvd
        return frame.code if frame else NO_CLOSE_FRAME

    @property
    def refused_size(self) -> bool:
        """Whether it was this side that found a message too large."""
        sent = self.protocol.close_sent
        return (
            sent is not None
            and sent.code == CloseCode.MESSAGE_TOO_BIG
            and not self.protocol.close_rcvd_then_sent
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        for timer in (self._stalling, self._dropping):
            if timer is not None:
                timer.cancel()
        self.on_lost()
        self.on_lost = self.on_writable = _nothing  # both lead back here
