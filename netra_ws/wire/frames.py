"""Frames (RFC 6455 section 5.2) where they are whole, small and many.

websockets reads a frame in a generator and writes it through an object: 5 and 7 µs an event
(measured, Python 3.11). Here are the shortcuts, and the two names of websockets that are not in
its documentation: `apply_mask`, and the `parser` of its protocol.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # its fastest one
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
        parts.append(_HEADS[size] if size < 1024 else _head(size))
        parts.append(message)
    return b"".join(parts)


def unpack(data: bytes, start: int, max_bytes: int) -> tuple[list[bytes], int]:
    """Return the messages from `start` of what a client sent, and where they end.

    It stops before the first frame that is not a whole text of at most `max_bytes`.
    """
    messages: list[bytes] = []
    size = len(data)
    while size - start >= 6 and data[start] == TEXT:
        length = data[start + 1] - MASKED
        head = 6
        if length == 126 and size - start >= 8:
            length = int.from_bytes(data[start + 2 : start + 4], "big")
            head = 8
            if length < 126:
                break
        elif not 0 <= length < 126:
            break
        payload = start + head
        end = payload + length
        if end > size or length > max_bytes:
            break
        messages.append(apply_mask(data[payload:end], data[payload - 4 : payload]))
        start = end
    return messages, start


def _size_at(head: bytes) -> int:
    """Return the bytes of a client's frame that begins so; 0 if more has to come to tell."""
    length = head[1] & 0x7F if len(head) > 1 else 0
    extended = {126: 2, 127: 8}.get(length, 0)
    if len(head) < 2 + extended:
        return 0
    if extended:
        length = int.from_bytes(head[2 : 2 + extended], "big")
        if length < (126 if extended == 2 else 1 << 16):
            raise ValueError("expected the shortest form of a length")
    return 2 + extended + (4 if head[1] & MASKED else 0) + length


class Boundary:
    """Where the frames of a client end, however its bytes are cut; true within a frame."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head, self._left = b"", 0

    def __bool__(self) -> bool:
        return bool(self._left or self._head)

    def advance(self, data: bytes, start: int) -> int:
        """Return where in `data` the frame ends that goes on or begins at `start`, or `data` does.

        Raises `ValueError` for a length that is not in its shortest form (section 5.2).
        """
        if not self._left:
            head = self._head + data[start : start + 14]  # a longer one there is not
            whole = _size_at(head)
            if not whole:
                self._head = head
                return len(data)
            self._left, self._head = whole - len(self._head), b""
        end = min(start + self._left, len(data))
        self._left -= end - start
        return end


def forget(protocol: ServerProtocol, error: BaseException | None) -> None:
    """Break the circles of a protocol that has ended: its parser's, and those of its error."""
    protocol.parser.close()
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
