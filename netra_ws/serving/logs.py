"""Log lines: one JSON object each on standard error, those of libraries included."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

PACKAGE = Path(__file__).parents[1]


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
        event["traceback"] = "".join(traceback.format_exception(error))
    return event


def _says_no_header(record: logging.LogRecord) -> bool:
    """Whether a line holds no token: websockets logs headers at DEBUG."""
    return record.levelno >= logging.WARNING or not record.name.startswith("websockets")


def configure_logging() -> None:
    """Send all log lines of the process, and Python's warnings, to standard error as JSON."""
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
    handler = logging.StreamHandler(sys.stderr)
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
