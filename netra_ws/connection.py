"""One connection: a socket that reads its user's log through a cursor."""

from __future__ import annotations

import asyncio
import time

import structlog

from netra_ws import events
from netra_ws.context import Claims, UserExecutionContext, new_id
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
from netra_ws.manager import WebSocketManager
from netra_ws.messages import (
    ConnectionReady,
    ConnectionReadyPayload,
    Error,
    ErrorPayload,
    Ping,
    Pong,
    PongPayload,
    RenewToken,
    StopAgent,
    TokenRenewed,
    TokenRenewedPayload,
    UserMessage,
    decode_client_message,
)
from netra_ws.wire.rates import TokenBucket
from netra_ws.wire.transport import Socket

logger = structlog.get_logger(__name__)

MAX_REASON = 200


def shorten(words: str) -> str:
    """Return at most `MAX_REASON` characters of a reason."""
    return words if len(words) <= MAX_REASON else f"{words[: MAX_REASON - 1]}…"


class Connection:
    """One connection: the socket calls for each message of the client, the log for each event.

    The first event of a turn of the loop schedules one write of everything that is pending by the
    next. Above the socket's high-water mark nothing is written until it has drained.
    """

    # With many users it is memory that an event waits for: an attribute table is a miss more.
    __slots__ = (
        "_claims",
        "_context",
        "_cursor",
        "_expiry",
        "_loop",
        "_manager",
        "_messages",
        "_metrics",
        "_position",
        "_replies",
        "_scheduled",
        "_settings",
        "_socket",
        "_woken_at",
        "id",
    )

    def __init__(
        self,
        socket: Socket,
        context: UserExecutionContext,
        manager: WebSocketManager,
        position: Position | None,
    ) -> None:
        self.id = new_id("connection")
        self._socket = socket
        self._context = context
        self._manager = manager
        self._position = position
        assert socket.claims is not None  # who has none is not let in
        self._claims = socket.claims
        self._settings = settings = manager.settings
        self._metrics = manager.registry.metrics
        self._loop = loop = asyncio.get_running_loop()
        rate = settings.max_messages_per_s
        self._messages = TokenBucket(rate, rate * settings.rate_window_s, loop.time())
        self._scheduled = False
        self._woken_at = 0.0
        self._replies: list[tuple[int, bytes]] = []
        """What answers the client, each after the event with that `seq`."""
        self._expiry: asyncio.TimerHandle

    @property
    def token_id(self) -> str:
        """The token under which the connection goes on."""
        return self._claims.token_id

    @property
    def is_behind(self) -> bool:
        """Whether events wait for it, or for the system to take them."""
        socket = self._socket
        return socket.is_open and (self._cursor.pending > 0 or socket.unsent_bytes > 0)

    async def serve(self) -> None:
        """Serve the connection until it ends."""
        manager, socket = self._manager, self._socket
        if not manager.connect(self):
            reason = "too many connections"
            socket.cut("max_connections_per_user", CloseCode.TOO_MANY_CONNECTIONS, reason)
            return
        self._cursor = cursor = manager.open_cursor(self._position, self._wake)
        self._expire_with(self._claims)
        first = cursor.position
        try:
            ready = ConnectionReadyPayload(
                self.id, first.epoch, first.seq, cursor.recovered, cursor.lost
            )
            if socket.writable:
                socket.write([events.encode(ConnectionReady(events.timestamp(), ready))])
            socket.on_writable = self._write_pending
            self._wake()
            await socket.listen(self._hear)
        finally:
            cursor.close()
            self._expiry.cancel()
            if first.seq < manager.runs.last_completed <= cursor.seq:
                self._metrics.sessions_completed.inc()
            manager.disconnect(self)

    # What the client says

    def _hear(self, message: str | bytes) -> None:
        """Act on one message; whatever is wrong with it is answered with a typed error."""
        if not self._messages.take(self._loop.time()):
            self._socket.cut_too_fast("max_messages_per_s", self._settings.max_messages_per_s)
            return
        try:
            if isinstance(message, bytes):
                raise RequestRefused("binary_message", "expected a text message with JSON in it")
            match decode_client_message(message):
                case UserMessage(content, thread_id):
                    self._manager.runs.start(self._context.for_run(thread_id), content)
                case StopAgent(run_id):
                    self._manager.runs.stop(run_id)
                case Ping():
                    self._reply(Pong(events.timestamp(), PongPayload()))
                case RenewToken(token):
                    self._renew(token)
        except RequestRefused as refused:
            self._refuse(refused.code, str(refused))
        except (JsonShapeError, ContextError) as error:
            self._refuse("invalid_message", str(error))
        except JsonError as error:
            self._refuse("invalid_json", str(error))

    def _refuse(self, code: str, why: str) -> None:
        # The words of a refusal can repeat what was sent, as long as that was.
        self._reply(Error(events.timestamp(), ErrorPayload(code, shorten(why))))

    def _reply(self, message: Error | Pong | TokenRenewed) -> None:
        """Answer after all that was in the log before, and read on when the answer is on its way.

        So a pong tells its client that it has all events up to the ping, and what a client can
        make the server hold is bounded by the messages of one burst; the socket bounds the wait.

        Guarded by
        tests/integration/test_slow_readers.py::test_a_pong_comes_after_what_was_there_before
        """
        self._replies.append((self._cursor.head, events.encode(message)))
        self._write_pending()
        if self._replies and self._socket.is_open:  # else the client's close frame is to be read
            self._socket.pause_reading()

    # The token

    def _renew(self, token: str) -> None:
        """Go on under a newer token; for one that will not do, the old one stays in force.

        Guarded by
        tests/integration/test_session_security.py::test_a_renewal_that_is_refused_changes_nothing
        """
        try:
            claims = self._socket.verify(token)
            if claims.user_id != self._context.user_id:
                raise TokenError("of another user")
        except TokenError as error:
            logger.warning("token refused", reason=str(error), user_id=self._context.user_id)
            self._refuse("token_refused", "expected a valid token of the same user")
            return
        self._expiry.cancel()
        self._expire_with(claims)
        expires_in = int(claims.expires_at - time.time())
        self._reply(TokenRenewed(events.timestamp(), TokenRenewedPayload(expires_in)))

    def _expire_with(self, claims: Claims) -> None:
        # Counted on the loop's clock from now on: the wall clock may be set meanwhile.
        self._claims = claims
        left = claims.expires_at - time.time() + self._settings.token_leeway_s
        self._expiry = self._loop.call_later(max(0.0, left), self._expire)

    def _expire(self) -> None:
        """Close the connection: its token has expired.

        Guarded by
        tests/integration/test_session_security.py::test_a_connection_ends_when_its_token_does
        """
        logger.info("token expired", user_id=self._context.user_id)
        self._socket.finish(CloseCode.TOKEN_EXPIRED, "the token expired")

    def revoke(self) -> None:
        """End the connection before anything more is delivered.

        Guarded by
        tests/integration/test_session_security.py::test_a_revocation_ends_what_its_token_opened
        """
        self._socket.revoke()

    # What the client is told

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            if not self._woken_at:
                self._woken_at = time.perf_counter()
            self._loop.call_soon(self._flush)
        elif self._cursor.half_behind:
            self._write_pending()  # or a burst in one turn of the loop would push a reader out

    def _flush(self) -> None:
        self._scheduled = False
        self._write_pending()

    def _write_pending(self) -> None:
        """Write what is pending, up to the high-water mark; drained, the socket asks for more."""
        cursor, socket = self._cursor, self._socket
        before = cursor.seq
        try:
            while (cursor.pending or self._replies) and socket.writable:
                messages = cursor.take(socket.room) if cursor.pending else []
                socket.write(messages + self._due_replies() if self._replies else messages)
        except CursorBehind as behind:
            socket.cut(cursor.trimmed_by, CloseCode.FELL_BEHIND, str(behind))
        written = cursor.seq - before
        self._metrics.events_delivered += written
        if not cursor.pending:
            if written and self._woken_at:
                self._metrics.delivery_latency.observe(time.perf_counter() - self._woken_at)
            self._woken_at = 0.0

    def _due_replies(self) -> list[bytes]:
        """Take the replies before which nothing more is to be written."""
        replies, due = self._replies, []
        while replies and replies[0][0] <= self._cursor.seq:
            due.append(replies.pop(0)[1])
        if not replies:
            self._socket.resume_reading()
        return due
