"""Log lines: one JSON object each on standard error, those of libraries included."""

from __future__ import annotations

import io
import logging
import math
import os
import select
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import structlog

PACKAGE = Path(__file__).parents[1]

MAX_WAITING_BYTES = 1024 * 1024
"""Log lines that wait until standard error is read: some three thousand."""

logger = structlog.get_logger(__name__)


class Outlet(io.RawIOBase):
    """Standard error, for which nobody waits: what it does not take at once a thread writes.

    What does not fit in `MAX_WAITING_BYTES` is dropped: `on_drop` is told of how many lines at
    once, and a log line when what waited has been read. Thread-safe.
    """

    def __init__(self, descriptor: int, on_drop: Callable[[int], object] = lambda _: None) -> None:
        self.on_drop = on_drop
        self._descriptor = descriptor
        # A pipe that is ready takes so much; a file takes everything.
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._at_once = math.inf if is_file else select.PIPE_BUF
        self._queue: SimpleQueue[bytes] = SimpleQueue()  # reentrant: a finaliser may log
        self._entering = threading.RLock()
        self._entered = self._left = self._dropped = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def fileno(self) -> int:
        """Return the descriptor, which a child process may be given."""
        return self._descriptor

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes, or drop them."""
        taken = bytes(data)
        with self._entering:
            waiting = self._entered - self._left
            # What was dropped is said by the thread, before what comes later.
            left = taken if waiting or self._dropped else self._write_at_once(taken)
            if waiting and waiting + len(left) > MAX_WAITING_BYTES:
                self._drop(left)
            elif left:
                self._entered += len(left)
                self._queue.put(left)
        return len(taken)

    def _write_at_once(self, data: bytes) -> bytes:
        """Write what can be written without waiting, and return the rest."""
        try:
            if len(data) <= self._at_once and select.select([], [self._descriptor], [], 0)[1]:
                return data[os.write(self._descriptor, data) :]
        except OSError:
            pass  # the thread meets it again
        return data

    def _drop(self, data: bytes) -> None:
        lines = data.count(b"\n")
        self._dropped += lines
        self.on_drop(lines)

    def _run(self) -> None:
        while True:
            data = self._queue.get()
            try:
                self._write_all(data)
            except OSError:
                with self._entering:
                    self._drop(data)
                flows = False
            else:
                flows = True
            with self._entering:
                self._left += len(data)
                lines = self._dropped if flows and self._left == self._entered else 0
                self._dropped -= lines
            if lines:
                logger.warning("log lines dropped", lines=lines)

    def _write_all(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # whoever has the other end may have asked for that
                select.select([], [self._descriptor], [])

    def drain(self, within_s: float) -> None:
        """Wait until everything is written, or for so long."""
        by = time.monotonic() + within_s
        while self._left != self._entered and time.monotonic() < by:
            time.sleep(0.002)


class _Lines(logging.Handler):
    """Gives each line to an outlet at once."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            self._outlet.write(self.format(record).encode() + b"\n")
        except Exception:
            self.handleError(record)


def _text(outlet: Outlet) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(outlet)
    return io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=True)


def describe_exception(error: BaseException) -> dict[str, str]:
    """Return the type, the message and the place of `error`: the innermost line of this package."""
    described = {"type": type(error).__name__, "message": _message(error)}
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    for frame in ours[-1:]:
        place = Path(frame.filename).relative_to(PACKAGE.parent).as_posix()
        described |= {"where": f"{place}:{frame.lineno}", "function": frame.name}
        described["line"] = frame.line or ""
    return described


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the error of an agent can be anything
        return "<exception str() failed>"  # as Python's own tracebacks say


def _add_exception(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["error"] = describe_exception(error)
        event["traceback"] = "".join(traceback.format_exception(error))
    return event


def _says_no_header(record: logging.LogRecord) -> bool:
    """Whether a line holds no token: websockets logs headers at DEBUG."""
    return record.levelno >= logging.WARNING or not record.name.startswith("websockets")


def configure_logging() -> Outlet:
    """Send all log lines of the process, and Python's warnings, to standard error as JSON.

    What anybody prints goes there, too, as it is. Nothing of that waits for the reader.
    """
    outlet = Outlet(2)
    sys.stdout, sys.stderr = _text(outlet), _text(outlet)
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Lines(outlet)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _add_exception,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    handler.addFilter(_says_no_header)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(capture=True)
    return outlet
