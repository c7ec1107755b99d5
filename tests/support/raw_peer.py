"""A socket that was let in and then keeps to itself: it answers no ping and reads when told to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from limits import HANG_S
from plain_client import UPGRADE, address

LEAST_BUFFER = 4096


def connect(url: str, *, receive_buffer: int | None = None) -> socket.socket:
    """Return a connected socket; it blocks, for `HANG_S` at most."""
    peer = socket.socket()
    peer.settimeout(HANG_S)
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.connect(address(url))
    return peer


def handshake(token: str, query: str = "") -> bytes:
    """Return the request for an upgrade."""
    lines = (f"GET /ws{query} HTTP/1.1", f"Authorization: Bearer {token}", *UPGRADE, "", "")
    return "\r\n".join(lines).encode()


def revocation(token: str) -> bytes:
    """Return the request that takes a token out of use."""
    return f"POST /ws/revoke HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def upgraded(backend: str, token: str, **options: Any) -> socket.socket:
    """Return a socket whose upgrade was accepted; `options` are those of `connect`."""
    peer = connect(backend, **options)
    peer.sendall(handshake(token))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = peer.recv(1)
        assert byte, answer
        answer += byte
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return peer


def read_to_the_end(peer: socket.socket) -> bytes:
    """Return all that is still to come, also if it is cut off."""
    received = b""
    with suppress(ConnectionError):
        while data := peer.recv(65536):
            received += data
    return received


def kernel_has(peer: socket.socket) -> int:
    """Return the bytes on the way to `peer` that the server cannot take back.

    The table is no snapshot: what was unacknowledged when it was first read may have arrived when
    it is read again, but cannot be in neither.
    """
    port = f":{peer.getsockname()[1]:04X}"
    unacknowledged = sum(sent for _, remote, sent, _ in _queues() if remote.endswith(port))
    return unacknowledged + sum(unread for local, _, _, unread in _queues() if local.endswith(port))


def _queues() -> Iterator[tuple[str, str, int, int]]:
    """Yield both ends of each connection, and its bytes unacknowledged and unread."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        sent, unread = (int(queue, 16) for queue in queues.split(":"))
        yield local, remote, sent, unread
