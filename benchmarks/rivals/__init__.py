"""The servers that netra_ws is measured beside, one module a server.

Each is written as its framework's own documentation writes it: it authenticates the handshake,
reads JSON, and sends the events of `benchmarks.work.Conversation` one after the other. Started as
``python -m benchmarks.rivals.NAME`` it prints one JSON line with its address and serves until it
is ended.
"""

from __future__ import annotations

import json
import socket


def listen() -> socket.socket:
    """Return a socket that listens on a port of the system's choice on loopback, and say which.

    asyncio turns Nagle's algorithm off where a socket says that it is TCP, as those do that the
    frameworks make by themselves. `socket.create_server` makes one that does not say so, and each
    run would wait for a delayed acknowledgement.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    host, port = listening.getsockname()
    print(json.dumps({"backend": f"http://{host}:{port}"}), flush=True)  # noqa: T201
    return listening
