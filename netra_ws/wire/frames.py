"""Frames (RFC 6455 section 5.2) where they are whole, small and many.

websockets reads a frame in a generator and writes it through a task and a context manager: 5 and
7 µs an event (measured, Python 3.11). Here are the two shortcuts, and all that they know of the
inside of websockets 17: `parser`, `current_size`, `expect_continuation_frame` and
`extensions` of its protocol, where its parser stands between two frames, and how many fragments it
allows. Whatever is not simple is left to websockets.

Guarded by ``tests/unit/test_frames.py``, which fails when a version moves what is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from types import GeneratorType
from typing import Any

from websockets.asyncio import messages as of_websockets
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # its fastest one
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

TEXT = 0x81
"""The first byte of a text frame that is a whole message, without an extension."""

MASKED = 0x80
"""The bit of the second byte that every frame of a client has (section 5.1)."""

MAX_FRAGMENTS = of_websockets.MAX_FRAGMENTS
"""Frames of one message: what websockets allows, 4096 unless its `WEBSOCKETS_MAX_FRAGMENTS` says
otherwise. A frame without a byte costs, too."""

_short, _medium, _long = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack


def pack(messages: Iterable[bytes]) -> bytes:
    """Return messages in UTF-8 as frames of a server, one a message, to be written at once."""
    parts: list[bytes] = []
    for message in messages:
        size = len(message)
        if size < 126:
            parts.append(_short(TEXT, size))
        elif size < 1 << 16:
            parts.append(_medium(TEXT, 126, size))
        else:
            parts.append(_long(TEXT, 127, size))
        parts.append(message)
    return b"".join(parts)


def may_write(protocol: ServerProtocol) -> bool:
    """Whether a whole message may be written now: not into the fragments of another (5.4)."""
    return not protocol.expect_continuation_frame


def between_messages(protocol: ServerProtocol) -> bool:
    """Whether the next byte of the client begins a message, and no extension has a say in it."""
    if protocol.state is not State.OPEN or protocol.current_size is not None or protocol.extensions:
        return False
    waiting: Any = protocol.parser
    while isinstance(waiting.gi_yieldfrom, GeneratorType):
        waiting = waiting.gi_yieldfrom
    return bool(waiting.gi_code is StreamReader.at_eof.__code__)


def end(protocol: ServerProtocol) -> None:
    """Take nothing more: its parser, which waits, and the protocol would keep each other."""
    protocol.parser.close()


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
