"""Frames (RFC 6455 section 5.2) where they are whole, small and many.

websockets reads a frame in a generator and writes it through an object: 5 and 7 µs an event
(measured, Python 3.11). Here are the shortcuts, and the two names of websockets that are not in
its documentation: `apply_mask`, and the `parser` of its protocol.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from websockets.frames import Frame, apply_mask  # type: ignore[attr-defined]  # its fastest one
from websockets.server import ServerProtocol

TEXT = 0x81
"""The first byte of a text frame that is a whole message, without an extension."""

MASKED = 0x80
"""The bit of the second byte that every frame of a client has (section 5.1)."""

MAX_FRAGMENTS = int(os.environ.get("WEBSOCKETS_MAX_FRAGMENTS", "4096"))
"""Frames of one message, as websockets bounds them: one without a byte costs, too."""


def _head(size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", TEXT, size)
    if size < 1 << 16:
        return struct.pack("!BBH", TEXT, 126, size)
    return struct.pack("!BBQ", TEXT, 127, size)


_HEADS = [_head(size) for size in range(1024)]


def pack(messages: Iterable[bytes]) -> bytes:
    """Return messages in UTF-8 as frames of a server, one a message, to be written at once."""
    parts: list[bytes] = []
    for message in messages:
        size = len(message)
        parts += (_HEADS[size] if size < len(_HEADS) else _head(size)), message
    return b"".join(parts)


def unpack(data: bytes, max_bytes: int) -> tuple[list[bytes], int]:
    """Return the messages at the beginning of what a client sent, and how many bytes they took.

    It stops before the first frame that is not a whole text of at most `max_bytes`.
    """
    messages: list[bytes] = []
    start, size = 0, len(data)
    while size - start >= 6 and data[start] == TEXT:
        length = data[start + 1] - MASKED
        head = 6
        if length == 126 and size - start >= 8:
            length = int.from_bytes(data[start + 2 : start + 4], "big")
            head = 8
        elif not 0 <= length < 126:
            break
        payload = start + head
        end = payload + length
        if end > size or length > max_bytes:
            break
        messages.append(apply_mask(data[payload:end], data[payload - 4 : payload]))
        start = end
    return messages, start


def size_of(frame: Frame) -> int:
    """Return the least number of bytes in which a client can have sent a frame.

    One that took more leaves its reader behind what was fed, which costs speed and nothing else.
    """
    length = len(frame.data)
    return length + (6 if length < 126 else 8 if length < 1 << 16 else 14)


def forget(protocol: ServerProtocol, error: BaseException | None) -> None:
    """Break the circles of a protocol that has ended: with its parser, which waits, and with the
    frames in the tracebacks of the error that ended it.
    """
    protocol.parser.close()
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
