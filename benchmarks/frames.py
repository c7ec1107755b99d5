"""What travels: the request and the handshake as bytes, and frames counted by their headers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import msgspec
from websockets.frames import Frame, Opcode

from benchmarks.work import MAX_EVENT_BYTES, MIN_EVENT_BYTES, QUESTION, THREAD
from netra_ws.events import EVENT_TYPES, AgentCompleted, decode

EVENTS = len(EVENT_TYPES)
"""Events of a run."""

_KEY = base64.b64encode(b"a nonce of 16 B.").decode()
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_ACCEPT = base64.b64encode(hashlib.sha1(f"{_KEY}{_GUID}".encode()).digest())  # noqa: S324

TEXT, PING = 0x81, 0x89
"""First bytes of a server's frames that are whole and not compressed (RFC 6455 section 5.2)."""

END_OF_HEAD = b"\r\n\r\n"


class Broken(Exception):
    """Raised when a server does not answer as the work demands; says what came instead."""


REQUEST = Frame(
    Opcode.TEXT,
    msgspec.json.encode({"type": "user_message", "content": QUESTION, "thread_id": THREAD}),
).serialize(mask=True)
"""What starts a run."""


def handshake(address: tuple[str, int], token: str, *, deflate: bool = False) -> bytes:
    """Return the opening handshake of a client; with `deflate` it offers what browsers offer."""
    host, port = address
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    return (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n"
        f"{offer if deflate else ''}Authorization: Bearer {token}\r\n\r\n"
    ).encode()


def check_opening(head: bytes) -> None:
    """Raise `Broken` unless `head` is the answer to a handshake of ours that succeeded."""
    status, *lines = head.split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
    if b" 101 " not in status or headers.get(b"sec-websocket-accept") != _ACCEPT.lower():
        raise Broken(f"expected a handshake to succeed, got {status.decode(errors='replace')}")


def check_run(messages: list[bytes]) -> float:
    """Return the mean size of a run's events, in bytes, without the white space of their JSON.

    Raises `Broken` unless they are the five events in order, each with all of its fields, and of
    the size that was agreed.
    """
    try:
        run = [decode(message) for message in messages]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"expected an event, got {error}") from error
    types = tuple(str(event.__struct_config__.tag) for event in run)
    if types != EVENT_TYPES:
        raise Broken(f"expected {', '.join(EVENT_TYPES)}, got {', '.join(types)}")
    first, last = run[0], run[-1]
    if len({event.run_id for event in run}) != 1:
        raise Broken("expected the events of one run, got those of several")
    if [event.seq for event in run] != list(range(first.seq, first.seq + EVENTS)):
        raise Broken(f"expected events in order, got {[event.seq for event in run]}")
    assert isinstance(last, AgentCompleted)
    if (last.payload.status, last.payload.events) != ("completed", EVENTS):
        raise Broken(f"expected a run to complete with {EVENTS} events, got {last.payload}")
    size = sum(len(msgspec.json.format(message, indent=-1)) for message in messages) / EVENTS
    if not MIN_EVENT_BYTES <= size <= MAX_EVENT_BYTES:
        expected = f"{MIN_EVENT_BYTES} to {MAX_EVENT_BYTES} bytes an event"
        raise Broken(f"expected {expected}, got {size:g}")
    return size


class Frames:
    """Counts the messages in a stream of a server's bytes.

    The client must never be the limit: it reads no more than the headers, but for the first run,
    which is kept in `first_run` and checked. `pong` is called with what answers a ping.
    """

    __slots__ = ("_pong", "_tail", "first_run", "is_checked")

    def __init__(self, pong: Callable[[bytes], object]) -> None:
        self.first_run: list[bytes] = []
        self.is_checked = False
        self._pong = pong
        self._tail = b""

    def feed(self, data: bytes) -> int:
        """Return how many messages end in `data`; raises `Broken` for anything else than text."""
        if self._tail:
            data = self._tail + data
        at, end, count = 0, len(data), 0
        while end - at > 1:
            size = data[at + 1]
            begin = at + 2
            if size > 125:  # a server does not mask; and no message here has 64 KiB
                begin += 2
                if begin > end:
                    break
                size = data[at + 2] << 8 | data[at + 3]
            if begin + size > end:
                break
            if self.is_checked and data[at] == TEXT:
                count += 1
            else:
                count += self._take(data[at], data[begin : begin + size])
            at = begin + size
        self._tail = data[at:]
        return count

    def _take(self, first: int, payload: bytes) -> int:
        if first == PING:
            self._pong(Frame(Opcode.PONG, payload).serialize(mask=True))
            return 0
        if first != TEXT:
            raise Broken(f"expected a text message, got a frame that begins with {first:#x}")
        self.first_run.append(payload)
        if len(self.first_run) == EVENTS:
            check_run(self.first_run)
            self.is_checked = True
        return 1
