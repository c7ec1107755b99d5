"""A socket that was let in and then keeps to itself: it answers no ping and reads when told to."""

from __future__ import annotations

import socket
from contextlib import suppress
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


def upgraded(backend: str, token: str, **options: Any) -> socket.socket:
    """Return a socket whose upgrade was accepted; `options` are those of `connect`."""
    peer = connect(backend, **options)
    lines = ("GET /ws HTTP/1.1", f"Authorization: Bearer {token}", *UPGRADE, "", "")
    peer.sendall("\r\n".join(lines).encode())
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
