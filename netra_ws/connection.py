"""One connection: a socket that reads its user's log through a cursor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog
from msgspec import UnsetType

from netra_ws import events, messages
from netra_ws.connections import MAKE_ROOM_S
from netra_ws.context import Claims, UserExecutionContext, new_id
from netra_ws.deadline import Deadline
from netra_ws.errors import (
    CloseCode,
    ContextError,
    CursorBehind,
    JsonError,
    JsonShapeError,
    RequestRefused,
    TokenError,
)
from netra_ws.event_log import Position
from netra_ws.event_log.memory import Cursor
from netra_ws.manager import WebSocketManager
from netra_ws.messages import decode_client_message
from netra_ws.metrics import Metrics
from netra_ws.wire.rates import TokenBucket
from netra_ws.wire.socket import Socket

logger = structlog.get_logger(__name__)

MAX_REASON = 200
"""Characters of a refusal: its words can repeat what was sent, as long as that was."""


@dataclass(slots=True, eq=False, repr=False)
class Waiting:
    """Who listens for a connection that waits for room: what its client says is for later."""

    _socket: Socket
    _leave: Callable[[], None]
    heard: list[str | bytes] = field(default_factory=list)

    def hear(self, message: str | bytes) -> None:
        """See `Listener`; what comes in one read is the most there can be."""
        self.heard.append(message)
        self._socket.pause_reading()

    def drained(self) -> None:
        """See `Listener`."""

    def lost(self) -> None:
        """See `Listener`."""
        self._leave()


OVERTAKE_S = 0.1
"""Seconds in which runs that waited for a reader can overtake it: then it is told what it lost."""


@dataclass(slots=True, eq=False, repr=False)  # slots: an attribute table is a cache miss more
class Connection:
    """One connection: the socket calls for each message of the client, the log for each event.

    The first event of a turn of the loop schedules one write of everything that is pending by the
    next. Above the socket's high-water mark nothing is written until it has drained.
    """

    _socket: Socket
    _context: UserExecutionContext
    _manager: WebSocketManager
    _position: Position | None
    """The one asked for, and then the one at which it began."""
    token_id: str = ""
    """The token under which it goes on."""
    _scheduled: bool = False
    _woken_at: float = 0.0
    _caught_up: asyncio.Event | None = None
    """Set when runs need not wait for it any longer; there is none while it is not far behind."""
    _patience: asyncio.TimerHandle | None = None
    _metrics: Metrics = field(init=False)
    _patience_s: float = field(init=False)
    """How much longer runs wait for it."""
    _waiting: int = 0
    _replies: list[tuple[int, bytes]] = field(default_factory=list)
    """What answers the client, each after the event with that `seq`."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _cursor: Cursor = field(init=False)
    _expiry: asyncio.TimerHandle | Deadline = field(init=False)
    _messages: TokenBucket = field(init=False)

    @property
    def is_behind(self) -> bool:
        """Whether events wait for it, or for the system to take them."""
        socket = self._socket
        return socket.is_open and (self._cursor.pending > 0 or socket.unsent_bytes > 0)

    async def serve(self) -> None:
        """Say `connection_ready` when there is room, and go on for as long as the socket calls."""
        manager, socket = self._manager, self._socket
        assert socket.claims is not None  # who has none is not let in
        self.token_id = socket.claims.token_id
        early: list[str | bytes] = []
        if not manager.connections.join(self):
            waiting = Waiting(socket, partial(manager.disconnect, self))
            socket.listen(waiting)
            if not await manager.connections.wait(self):
                self._cut_for_room("too many connections")
            if not socket.is_open:
                return
            early = waiting.heard
        rate = manager.settings.max_messages_per_s
        capacity = rate * manager.settings.rate_window_s
        self._messages = TokenBucket(rate, capacity, self._loop.time())
        self._metrics = manager.registry.metrics
        self._patience_s = manager.settings.write_timeout_s
        self._cursor = cursor = manager.open_cursor(self._position, self._wake)
        self._position = first = cursor.position
        self._expire_with(socket.claims)
        if socket.room:
            payload = messages.ConnectionReadyPayload(
                new_id("connection"),
                first.epoch,
                first.seq,
                cursor.recovered,
                cursor.lost,
                manager.runs.ongoing(),
            )
            ready = messages.ConnectionReady(events.timestamp(), payload)
            socket.write([events.encode(ready)])
        # What is kept is written at once: the next event would push the oldest out of the window.
        self._write_pending()
        socket.listen(self)
        for message in early:
            if socket.is_open:
                self.hear(message)

    def lost(self) -> None:
        """See `Listener`."""
        cursor, manager = self._cursor, self._manager
        cursor.close()
        self._release_runs()
        self._expiry.cancel()
        assert self._position is not None
        if self._position.seq < manager.runs.last_completed <= cursor.seq:
            manager.registry.metrics.sessions_completed.inc()
        manager.disconnect(self)

    def hear(self, message: str | bytes) -> None:
        """Act on one message; whatever is wrong with it is answered with a typed error."""
        taken, now = self._messages, self._loop.time()
        if not (taken.take(now) or self._socket.port.absence.excuses(taken, now)):
            rate = self._manager.settings.max_messages_per_s
            self._socket.cut_too_fast("max_messages_per_s", rate)
            return
        try:
            if isinstance(message, bytes):
                raise RequestRefused("binary_message", "expected a text message with JSON in it")
            match decode_client_message(message):
                case messages.UserMessage(content, thread_id, id=message_id):
                    self._ask(self._context.for_run(thread_id), content, message_id)
                case messages.StopAgent(run_id):
                    self._manager.runs.stop(run_id)
                case messages.Ping(id=message_id):
                    payload = messages.PongPayload(ref=message_id)
                    self._reply(messages.Pong(events.timestamp(), payload))
                case messages.RenewToken(token, id=message_id):
                    self._renew(token, message_id)
        except RequestRefused as refused:
            self._refuse(refused.code, str(refused), message)
        except (JsonShapeError, ContextError) as error:
            self._refuse("invalid_message", str(error), message)
        except JsonError as error:
            self._refuse("invalid_json", str(error), message)

    def _refuse(self, code: str, why: str, message: str | bytes) -> None:
        shown = why if len(why) <= MAX_REASON else f"{why[: MAX_REASON - 1]}…"
        payload = messages.ErrorPayload(code, shown, ref=messages.id_of(message))
        self._reply(messages.Error(events.timestamp(), payload))

    def _ask(
        self, context: UserExecutionContext, content: str, message_id: str | UnsetType
    ) -> None:
        run_id = self._manager.runs.start(context, content, message_id)
        if message_id and run_id != context.run_id:
            payload = messages.MessageKnownPayload(message_id, run_id)
            self._reply(messages.MessageKnown(events.timestamp(), payload))

    def _reply(self, message: messages.Answer) -> None:
        """Answer after all that was in the log before, and read on when the answer is on its way.

        So a pong tells its client that it has all events up to the ping, and what a client can
        make the server hold is bounded by the messages of one burst; the socket bounds the wait.
        """
        self._replies.append((self._cursor.head, events.encode(message)))
        self._write_pending()
        if self._replies and self._socket.is_open:  # else the client's close frame is to be read
            self._socket.pause_reading()

    def _renew(self, token: str, message_id: str | UnsetType) -> None:
        """Go on under a newer token; for one that will not do, the old one stays in force."""
        try:
            claims = self._socket.port.verify(token)
            if claims.user_id != self._context.user_id:
                raise TokenError("of another user")
        except TokenError as error:
            logger.warning("token refused", reason=str(error), user_id=self._context.user_id)
            why = "expected a valid token of the same user"
            raise RequestRefused("token_refused", why) from error
        self._expiry.cancel()
        self._expire_with(claims)
        expires_in = int(claims.expires_at - time.time())
        payload = messages.TokenRenewedPayload(expires_in, ref=message_id)
        self._reply(messages.TokenRenewed(events.timestamp(), payload))

    def _expire_with(self, claims: Claims) -> None:
        # Counted on the loop's clock from now on: the wall clock may be set meanwhile.
        self.token_id = claims.token_id
        left = claims.expires_at - time.time() + self._manager.settings.token_leeway_s
        self._expiry = self._loop.call_later(max(0.0, left), self._expires)

    def _expires(self) -> None:
        self._expiry = Deadline(0.0, self._expire)  # its renewal may have come in a pause

    def _expire(self) -> None:
        logger.info("token expired", user_id=self._context.user_id)
        self._socket.close(CloseCode.TOKEN_EXPIRED, "the token expired")

    @property
    def last_heard(self) -> float:
        """See `OpenConnection`."""
        return self._socket.last_heard if self._socket.is_read else self._loop.time()

    def ping(self) -> None:
        """See `OpenConnection`."""
        if self._socket.is_open:
            self._socket.ping()

    def make_room(self) -> None:
        """See `OpenConnection`."""
        self._cut_for_room(f"no byte for {MAKE_ROOM_S:g} s after a ping: room for another")
        self._socket.abort()

    def _cut_for_room(self, reason: str) -> None:
        self._socket.cut("max_connections_per_user", CloseCode.NO_ROOM, reason)

    def revoke(self) -> None:
        """See `OpenConnection`."""
        if self._socket.unsent_bytes:
            self._socket.seal()
        else:
            self._socket.close(CloseCode.TOKEN_REVOKED, "the token was revoked")

    def seal(self) -> None:
        """See `OpenConnection`."""
        self._socket.seal()

    def _wake(self) -> None:
        if self._cursor.half_behind:
            self._write_pending()  # or a burst in one turn of the loop would push a reader out
        elif not self._scheduled:
            self._scheduled = True
            if not self._woken_at:
                self._woken_at = time.perf_counter()
            self._loop.call_soon(self._write_pending)

    def drained(self) -> None:
        """See `Listener`."""
        self._write_pending()

    def _write_pending(self) -> None:
        """Write what is pending, up to the high-water mark; drained, the socket asks for more."""
        self._scheduled = False
        cursor, socket = self._cursor, self._socket
        before = pending = cursor.pending
        try:
            while (pending or self._replies) and (room := socket.room):
                taken = cursor.take(room) if pending else []
                socket.write(taken + self._due_replies() if self._replies else taken)
                pending = cursor.pending
        except CursorBehind as behind:
            socket.cut(cursor.trimmed_by, CloseCode.FELL_BEHIND, str(behind))
        metrics = self._metrics
        metrics.events_delivered += before - pending
        if not pending:
            if before and self._woken_at:
                metrics.delivery_latency.observe(time.perf_counter() - self._woken_at)
            self._woken_at = 0.0
        if pending or self._caught_up is not None:
            self._hold_runs()

    def _hold_runs(self) -> None:
        """Let runs wait for as long as their next events could push it out of the window."""
        if self._cursor.half_behind and self._patience_s and self._socket.is_open:
            if self._caught_up is None:
                self._caught_up = asyncio.Event()
                self._manager.runs.late.add(self)
        else:
            self._release_runs()

    def _release_runs(self) -> None:
        if self._caught_up is not None:
            self._caught_up.set()
            self._caught_up = None
            self._manager.runs.late.discard(self)

    async def catch_up(self) -> None:
        """See `Reader`: it may slow runs for `write_timeout_s` in all, and is then cut."""
        caught_up, loop = self._caught_up, self._loop
        if caught_up is None:
            return
        if self._waiting == 0:
            self._socket.on_stall = self._give_up
            self._patience = loop.call_later(self._patience_s, self._give_up)
        self._waiting += 1
        try:
            await caught_up.wait()
        finally:
            self._waiting -= 1
            if self._waiting == 0 and self._patience is not None:
                left = self._patience.when() - loop.time()
                self._patience_s = max(0.0, min(left, self._patience_s))
                self._patience.cancel()
                if self._patience_s:  # else it is being cut with 4002, and not with 4001
                    self._socket.on_stall = None

    def _give_up(self) -> None:
        """Let the runs go on without it: they overtake it now, or it is cut as overtaken."""
        self._patience_s = 0.0
        self._release_runs()
        limit = self._manager.settings.write_timeout_s
        end = CloseCode.FELL_BEHIND, f"runs waited for this reader for {limit:g} s"
        self._loop.call_later(OVERTAKE_S, self._socket.cut, "write_timeout_s", *end)

    def _due_replies(self) -> list[bytes]:
        """Take the replies before which nothing more is to be written."""
        replies, due = self._replies, []
        while replies and replies[0][0] <= self._cursor.seq:
            due.append(replies.pop(0)[1])
        if not replies:
            self._socket.resume_reading()
        return due
