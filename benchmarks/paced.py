"""Load in an open loop: requests at their times, whether or not the earlier ones are answered.

They come as those of people do who do not know of each other: a Poisson process, the same one for
all servers of a turn. So some come close together, and a server that is slow makes them queue.

The latency of an event is counted from the time at which its request was due, not from the one at
which it could be sent: a server that stalls is charged for all who would have asked meanwhile.

The client sleeps until a request is due or an answer comes. On a virtual machine one that asks
again and again takes the time away that its neighbour, the server, is measured in.
"""

from __future__ import annotations

import math
import random
import select
import socket
import time
from collections.abc import Sequence

from benchmarks.frames import END_OF_HEAD, EVENTS, REQUEST, Broken, Frames, check_opening, handshake
from benchmarks.servers import Server

REPLY_TIMEOUT_S = 10.0
"""Seconds for a handshake, and for the last answers once the time is up."""

RECEIVE_BYTES = 64 * 1024


class Caller:
    """One connection, with the times at which its requests were due, and not answered yet."""

    def __init__(self, server: Server, token: str) -> None:
        self.due: list[float] = []
        self._socket = socket.create_connection(server.address, REPLY_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = Frames(self._socket.sendall)
        self._count = 0
        try:
            self._open(handshake(server.address, token), greets=server.program.greets)
        except BaseException:
            self.close()
            raise

    def _open(self, opening: bytes, *, greets: bool) -> None:
        self._socket.sendall(opening)
        came = b""
        while not (came.partition(END_OF_HEAD)[1]):
            came += self._receive()
        head, _, rest = came.partition(END_OF_HEAD)
        check_opening(head)
        while greets and not Frames(self._socket.sendall).feed(rest):
            rest += self._receive()
        self._socket.setblocking(False)

    def _receive(self) -> bytes:
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise Broken("the server ended a connection")
        return data

    def fileno(self) -> int:
        """Return what it is polled by."""
        return self._socket.fileno()

    def ask(self, due: float) -> None:
        """Start a run that was due at `due`."""
        self.due.append(due)
        self._socket.send(REQUEST)

    def hear(self, latencies: list[float]) -> int:
        """Read, add the latency of each event to `latencies`; returns how many runs have ended.

        A connection's runs are answered in turn, unless one takes longer than the time between two
        requests of the connection.
        """
        data = self._receive()
        now = time.perf_counter()
        ended = 0
        for _ in range(self._frames.feed(data)):
            latencies.append(now - self.due[0])
            self._count += 1
            if self._count == EVENTS:
                self._count = 0
                del self.due[0]
                ended += 1
        return ended

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def arrivals(requests_per_s: float, seconds: float, seed: int) -> list[float]:
    """Return the times of requests, in seconds from the beginning."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    times: list[float] = []
    now = rng.expovariate(requests_per_s)
    while now < seconds:
        times.append(now)
        now += rng.expovariate(requests_per_s)
    return times


def pace(callers: Sequence[Caller], times: Sequence[float]) -> list[float]:
    """Ask at `times`, in seconds from now, in turn; return the latencies of all events, in seconds.

    Raises `Broken` if a connection ends or an answer is missing after `REPLY_TIMEOUT_S`.
    """
    latencies: list[float] = []
    by_number = {caller.fileno(): caller for caller in callers}
    total = len(times)
    asked = ended = 0
    with select.epoll() as poll:
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        began = time.perf_counter()
        give_up = began + times[-1] + REPLY_TIMEOUT_S
        while ended < total:
            next_at = began + times[asked] if asked < total else give_up
            now = time.perf_counter()
            if now >= give_up:
                msg = f"expected {total} runs to end within {REPLY_TIMEOUT_S:g} s, got {ended}"
                raise Broken(msg)
            if now >= next_at:
                callers[asked % len(callers)].ask(next_at)
                asked += 1
            else:  # epoll's own timeout counts whole milliseconds
                select.select((poll,), (), (), next_at - now)
            for number, _ in poll.poll(0):
                ended += by_number[number].hear(latencies)
    return latencies


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the sorted `values` that a `share` of them does not exceed."""
    return values[max(1, math.ceil(share * len(values))) - 1]
