"""A machine on which time stands still until it is told to go on: clock, sockets, event loop.

Everything above the system's calls is real: the loop, its transports and its servers are those of
asyncio. Below them stand sockets in memory, whose buffers are bounded as a kernel's are, and a
selector that jumps to the next timer instead of waiting. Nothing here can hang: a loop that turns
more than `MAX_TURNS` times in one go, or that waits for what cannot come, raises.

What comes from outside a process comes from here as well: the time of day, and random bytes from
a seed. So the same calls give the same bytes, whenever and wherever they are made.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from itertools import count
from typing import Any, TypeVar
from weakref import WeakSet

import jwt.api_jwt

from netra_ws import context

T = TypeVar("T")

MIDNIGHT = 1_767_225_600
"""The time of day at which every machine starts: 2026-01-01 in UTC, in seconds of Unix time."""

MAX_TURNS = 100_000
FIRST_DESCRIPTOR = 1_000_000  # no file of this process has such a number
HOST, PORT = "127.0.0.1", 80


class RunsForever(Exception):
    """Raised when a loop turned `MAX_TURNS` times and still had something to do."""


class Clock:
    """The time of a machine, in s, and its random bytes.

    Installed with `in_force`: for the code inside, there is no other time and no other chance.
    """

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self._random = random.Random(seed)

        def seconds() -> float:
            return self.now

        def seconds_of_day() -> float:
            return MIDNIGHT + self.now

        class Datetime(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Datetime:
                return cls.fromtimestamp(seconds_of_day(), tz or UTC)

        # The places at which the standard library hands out time and chance, and the one library
        # that asks in C, where no other place can be found.
        self._sources: list[tuple[Any, str, object]] = [
            (time, "monotonic", seconds),
            (time, "perf_counter", seconds),
            (time, "time", seconds_of_day),
            (time, "time_ns", lambda: round(seconds_of_day() * 1_000_000_000)),
            (os, "urandom", self._random.randbytes),
            (random, "_urandom", self._random.randbytes),
            (jwt.api_jwt, "datetime", Datetime),
        ]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Stand in for the process's own clock and random bytes."""
        before = [getattr(place, name) for place, name, _ in self._sources]
        for place, name, source in self._sources:
            setattr(place, name, source)
        context._random.clear()
        try:
            yield
        finally:
            context._random.clear()
            for (place, name, _), source in zip(self._sources, before, strict=True):
                setattr(place, name, source)


class Pipe:
    """Bytes on their way in one direction, at most `capacity`; `chunk` is what one read gets.

    `changed` is called after every change: for an end that is not on the loop's selector.
    """

    def __init__(self, capacity: int, chunk: int) -> None:
        self.data = bytearray()
        self.capacity = capacity
        self.chunk = chunk
        self.taken = 0  # bytes, from the beginning
        self.ended = False
        self.broken = False
        self.changed: Callable[[], None] = lambda: None

    @property
    def readable(self) -> bool:
        return bool(self.data) or self.ended or self.broken

    @property
    def writable(self) -> bool:
        return len(self.data) < self.capacity or self.broken

    def send(self, data: Any) -> int:
        """Take what fits, and return how much that was; as `socket.send`."""
        if self.broken:
            raise ConnectionResetError("the peer has gone")
        taken = bytes(data[: self.capacity - len(self.data)])
        if not taken:
            raise BlockingIOError
        self.data += taken
        self.taken += len(taken)
        self.changed()
        return len(taken)

    def recv(self, size: int) -> bytes:
        """Return the next bytes, none at the end; as `socket.recv`."""
        if self.data:
            taken = bytes(self.data[: min(size, self.chunk)])
            del self.data[: len(taken)]
            self.changed()
            return taken
        if self.broken:
            raise ConnectionResetError("the peer has gone")
        if self.ended:
            return b""
        raise BlockingIOError

    def end(self) -> None:
        self.ended = True
        self.changed()

    def break_off(self) -> None:
        self.broken = True
        self.changed()


class _Descriptor:
    """What asyncio asks of every socket, whatever it is for."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, number: int) -> None:
        self._number = number
        self.closed = False

    def fileno(self) -> int:
        return -1 if self.closed else self._number

    def setblocking(self, _blocking: bool) -> None: ...
    def setsockopt(self, *_option: object) -> None: ...

    def gettimeout(self) -> float:
        return 0.0

    def getsockname(self) -> tuple[str, int]:
        return HOST, PORT


class Socket(_Descriptor):
    """The server's end of a connection."""

    def __init__(self, number: int, incoming: Pipe, outgoing: Pipe) -> None:
        super().__init__(number)
        self.incoming = incoming
        self.outgoing = outgoing
        self.recv = incoming.recv
        self.send = outgoing.send

    @property
    def ready(self) -> int:
        reads = selectors.EVENT_READ * self.incoming.readable
        return reads | selectors.EVENT_WRITE * self.outgoing.writable

    def getpeername(self) -> tuple[str, int]:
        return HOST, self._number

    def sendmsg(self, buffers: list[bytes]) -> int:
        return self.send(b"".join(buffers))

    def shutdown(self, _how: int) -> None:
        self.outgoing.end()

    def close(self) -> None:
        self.closed = True
        self.outgoing.end()
        self.incoming.break_off()


class Listener(_Descriptor):
    """A socket that accepts those in `backlog`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.backlog: deque[Socket] = deque()

    @property
    def ready(self) -> int:
        return selectors.EVENT_READ * bool(self.backlog)

    def listen(self, _backlog: int) -> None: ...

    def accept(self) -> tuple[Socket, tuple[str, int]]:
        if not self.backlog:
            raise BlockingIOError
        accepted = self.backlog.popleft()
        return accepted, accepted.getpeername()

    def close(self) -> None:
        self.closed = True


class Kernel(selectors.BaseSelector):
    """The selector: it says which sockets are ready; when none is, time goes on to `until`."""

    def __init__(self, clock: Clock, stop: Callable[[], None]) -> None:
        self.until = 0.0
        self.turns = 0
        self.sockets: dict[int, Socket] = {}
        self.listeners: dict[int, Listener] = {}
        self._clock = clock
        self._stop = stop
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self._numbers = count(FIRST_DESCRIPTOR)

    def listen(self) -> Listener:
        number = next(self._numbers)
        self.listeners[number] = listener = Listener(number)
        return listener

    def connect(self, incoming: Pipe, outgoing: Pipe) -> Socket:
        """Return the server's end of a new connection; raises `ConnectionRefusedError`."""
        for listener in self.listeners.values():
            if not listener.closed:
                number = next(self._numbers)
                self.sockets[number] = accepted = Socket(number, incoming, outgoing)
                listener.backlog.append(accepted)
                return accepted
        raise ConnectionRefusedError

    def open_sockets(self) -> list[Socket]:
        """Return the connections that the server has not closed."""
        return [end for end in self.sockets.values() if not end.closed]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = key = selectors.SelectorKey(fileobj, fileobj, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.turns > MAX_TURNS:
            raise RunsForever(f"{MAX_TURNS} turns until {self._clock.now:g} s, and still busy")
        ready = [
            (key, mask)
            for key in self._keys.values()
            if (end := self.sockets.get(key.fd) or self.listeners.get(key.fd))
            and (mask := end.ready & key.events)
        ]
        if not ready and timeout != 0:
            left = self.until - self._clock.now
            wait = math.inf if timeout is None else timeout
            if wait > left:
                self._clock.now = self.until
                self._stop()
            else:
                self._clock.now += wait
        return ready


class Loop(asyncio.SelectorEventLoop):
    """An event loop of asyncio on that kernel; `failures` holds what no callback caught."""

    def __init__(self, clock: Clock) -> None:
        self.failures: list[BaseException] = []
        self.transports: WeakSet[asyncio.Transport] = WeakSet()
        self.kernel = Kernel(clock, self.stop)
        self._clock = clock
        super().__init__(self.kernel)
        self.set_exception_handler(self._failed)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(context.get("exception") or RuntimeError(context["message"]))

    def time(self) -> float:
        return self._clock.now

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Any, _host: str, _port: int, **options: Any
    ) -> asyncio.Server:
        """Listen on this machine's one address, whichever was asked for."""
        listener: Any = self.kernel.listen()
        return await super().create_server(protocol_factory, sock=listener, **options)

    def _make_socket_transport(self, *arguments: Any, **options: Any) -> asyncio.Transport:
        make: Any = super()._make_socket_transport  # type: ignore[misc]
        transport: asyncio.Transport = make(*arguments, **options)
        self.transports.add(transport)
        return transport

    def timers(self) -> list[asyncio.TimerHandle]:
        """Return what is still to be called at a later time."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return [timer for timer in scheduled if not timer.cancelled()]

    def advance(self, seconds: float = 0.0) -> None:
        """Run until nothing is left to do before `seconds` have passed.

        Raises what a callback did not catch, and `RunsForever`.
        """
        self.kernel.until = self._clock.now + seconds
        self.kernel.turns = 0
        with self._clock.in_force():
            self.run_forever()
        if self.failures:
            raise self.failures[0]

    def complete(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        """Run until `work` is done, and return its result; raises `TimeoutError`."""
        task = self.create_task(work)
        task.add_done_callback(lambda _: self.stop())
        self.advance(within_s)
        if not task.done():
            task.cancel()
            raise TimeoutError(f"not done within {within_s:g} s: {task.get_coro()}")
        return task.result()
