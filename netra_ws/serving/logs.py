"""Log lines: one JSON object each on standard error, those of libraries included."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

logger = structlog.get_logger(__name__)

PACKAGE = Path(__file__).parents[1]

MAX_WORDS = 2000
"""Characters of an error's message: what somebody sent can be in it."""

MAX_TRACEBACK = 8000
"""Characters of a traceback, its end: with the message, each of at most six bytes in JSON, a line
stays below the 64 KiB that are written whole."""


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
        words = str(error)
        return words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}…"
    except BaseException:  # the error of an agent can be anything
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
        told = "".join(traceback.format_exception(error))
        event["traceback"] = told if len(told) <= MAX_TRACEBACK else f"…{told[-MAX_TRACEBACK:]}"
    return event


def _says_no_header(record: logging.LogRecord) -> bool:
    """Whether a line holds no token: websockets logs headers at DEBUG."""
    return record.levelno >= logging.WARNING or not record.name.startswith("websockets")


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines; those that a full disk or a limit does not take are counted, and said."""

    def __init__(self, lost: Callable[[], object]) -> None:
        super().__init__(sys.stderr)
        self._lost = lost
        self._unsaid = 0

    def emit(self, record: logging.LogRecord) -> None:
        unsaid = self._unsaid
        super().emit(record)
        if unsaid and self._unsaid == unsaid:
            self._unsaid = 0
            logger.warning("log lines dropped", lines=unsaid)
            if self._unsaid > 0:  # it could not be said
                self._unsaid += unsaid

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - named by logging
        if isinstance(sys.exc_info()[1], OSError):
            self._unsaid += 1
            self._lost()
        else:
            super().handleError(record)


def configure_logging(lost: Callable[[], object] = lambda: None) -> None:
    """Send all log lines of the process, and Python's warnings, to standard error as JSON.

    `lost` is called for each that could not be written.
    """
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
    handler = _Lines(lost)
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
