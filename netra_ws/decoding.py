"""Decoding of JSON from outside, with the same error messages for every version of msgspec."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path
from typing import TypeVar

import msgspec

from netra_ws.errors import ConfigurationError, JsonError, JsonShapeError, reason

T = TypeVar("T")

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes of a file that a process reads when it starts: a quarter of a million users."""

SILENT_S = 5.0
"""Seconds that a pipe in place of a file may stay silent."""


def decode(data: bytes | str, decoder: msgspec.json.Decoder[T], expected: str) -> T:
    """Return what `data` holds; `expected` says what that should be: ``a list of numbers``.

    Raises `JsonShapeError` for other JSON, and its base `JsonError` for what is not JSON at all.
    """
    try:
        # Not left to msgspec: it passes over the bytes of fields that nobody asked for.
        text = data if isinstance(data, str) else data.decode()
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise JsonShapeError(f"expected {expected}; {error}") from error
    except UnicodeDecodeError as error:
        raise JsonError(not_utf8(error)) from error
    except RecursionError as error:
        raise JsonError("expected JSON, got some that is nested too deep") from error
    except msgspec.DecodeError as error:
        raise JsonError(f"expected JSON, got {_what(text)}") from error


def read_file(path: Path, what: str) -> bytes:
    """Return what is in a file, or comes from a pipe; `what` says which file that is.

    Raises `ConfigurationError` if it cannot be read, does not end, or does not begin.
    """
    data = bytearray()
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            while len(data) <= LARGEST_FILE:
                if hasattr(os, "O_NONBLOCK") and not select.select([file], [], [], SILENT_S)[0]:
                    raise ConfigurationError(f"{what} {path}: nothing came for {SILENT_S:g} s")
                if not (chunk := file.read(LARGEST_FILE)):
                    return bytes(data)
                data += chunk
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        raise ConfigurationError(f"{what} {path}: {reason(error)}") from error
    msg = f"{what} {path}: expected at most {LARGEST_FILE:,} bytes, got more"
    raise ConfigurationError(msg)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody who writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def not_utf8(error: UnicodeDecodeError) -> str:
    """Say where something is not UTF-8, and not what is there: it may be secret."""
    return f"expected UTF-8, got something else at byte {error.start}"


def _what(text: str) -> str:
    """Say what is there instead of JSON, and where, as far as the standard library tells."""
    if not text.strip():
        return "nothing"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        what = "something else" if text[error.pos :].strip() else "an early end"
        return f"{what} in line {error.lineno}, column {error.colno}"
    except RecursionError:
        return "some that is nested too deep"
    except ValueError:
        pass  # a number of more digits than Python reads
    return "something else"  # what it takes and msgspec does not: NaN, half a surrogate pair
