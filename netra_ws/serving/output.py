"""What the process writes: a thread hands it on, so that nothing waits for who reads it."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
import threading
from datetime import UTC, datetime
from typing import Self

from prometheus_client import Counter

MAX_BYTES = 1024 * 1024
"""Bytes that wait for the reader of standard error: some four thousand log lines."""

READ_BYTES = 64 * 1024
"""As much as a pipe of Linux holds; also the longest line that is not cut."""

FLUSH_S = 0.1
"""Seconds at the end in which the reader takes something, or the last lines are given up."""


class Output:
    """Standard output and error as a context manager: what is written inside waits for nobody.

    Both end in one pipe of our own, an agent's `print` and Python's own last words included. A
    thread reads it, and writes to what was standard error as fast as that is read. Lines that do
    not fit into `MAX_BYTES` are dropped, counted in each of `dropped`, and a log line says how
    many they were. A file has no reader: it is written to as it is.
    """

    def __init__(self) -> None:
        self.dropped: list[Counter] = []
        self._unsaid = 0
        self._waiting = bytearray()
        self._cut = b""
        self._fails = False
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> Self:
        if stat.S_ISREG(os.fstat(2).st_mode):
            os.dup2(2, 1)
            return self
        self._target = os.dup(2)
        self._source, end = os.pipe()
        self._ending, self._end = os.pipe()
        for stream in (1, 2):
            os.dup2(end, stream)
        os.close(end)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self._thread.is_alive():
            return
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()  # into the pipe: at the end of the process it could wait for ever
        for number in (1, 2):
            os.dup2(self._target, number)
        os.close(self._end)
        self._thread.join()

    def _relay(self) -> None:
        poll = select.poll()
        for descriptor in (self._source, self._ending):
            poll.register(descriptor, select.POLLIN)
        reads, patience_ms = True, None
        while reads or self._waiting:
            if self._waiting:
                poll.register(self._target, select.POLLOUT)
            ready = poll.poll(patience_ms)
            if not ready:
                return  # at the end nobody reads, or a child of an agent holds the pipe open
            for descriptor, _ in ready:
                if descriptor == self._ending:
                    poll.unregister(self._ending)
                    patience_ms = FLUSH_S * 1000
                elif descriptor == self._target:
                    self._write()
                    poll.unregister(self._target)
                elif data := os.read(self._source, READ_BYTES):
                    self._take(data)
                else:
                    reads = False
                    poll.unregister(self._source)
                    self._take(b"\n" if self._cut else b"")

    def _take(self, data: bytes) -> None:
        """Take whole lines, or none of them."""
        lines, end, self._cut = (self._cut + data).rpartition(b"\n")
        if len(self._cut) > READ_BYTES:
            lines, end, self._cut = lines + end + self._cut, b"\n", b""
        lines += end
        if len(self._waiting) + len(lines) > MAX_BYTES:
            self._drop(lines.count(b"\n"))
        elif lines:
            self._say_dropped()
            self._waiting += lines

    def _write(self) -> None:
        """Write as much as does not block, after poll has said that there is room."""
        chunk = bytes(self._waiting[: select.PIPE_BUF])
        try:
            written = os.write(self._target, chunk)
        except OSError:  # nobody reads, or the disk is full
            self._fails = True
            self._drop(self._waiting.count(b"\n"))
            self._waiting.clear()
            return
        self._fails = False
        del self._waiting[:written]
        if len(self._waiting) < MAX_BYTES / 2:
            self._say_dropped()

    def _drop(self, lines: int) -> None:
        self._unsaid += lines
        self.count(lines)

    def count(self, lines: int = 1) -> None:
        """Count lines that nobody gets."""
        for counter in self.dropped:
            counter.inc(lines)

    def _say_dropped(self) -> None:
        if self._unsaid and not self._fails:
            now = datetime.now(UTC).isoformat()
            said = {"event": "log lines dropped", "lines": self._unsaid, "level": "warning"}
            said |= {"logger": __name__, "timestamp": now.removesuffix("+00:00") + "Z"}
            self._unsaid = 0
            self._waiting += json.dumps(said).encode() + b"\n"
