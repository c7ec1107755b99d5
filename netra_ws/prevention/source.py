"""The text of one source file, and the way from its offsets to lines and columns."""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from netra_ws.prevention.finding import Span

LINE_END = re.compile(r"\r\n|\r|\n")


class UndecodableError(Exception):
    """Raised when Python could not read a file as source text; its words say why."""


def decode(data: bytes) -> tuple[str, str]:
    """Decode source as Python does: a byte order mark, a coding line (PEP 263), or else UTF-8.

    Returns the text, line ends as they are and the mark taken off, and the name of the encoding.
    Raises UndecodableError.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError(_where(data, error)) from error
    except SyntaxError as error:  # an unknown encoding, or none and not UTF-8
        named = "its coding line does not name its encoding; mend the coding line"
        raise UndecodableError(_why_not_utf8(data) or named) from error
    except (LookupError, UnicodeError) as error:  # a codec that is not for text, as rot13
        raise UndecodableError(f"{encoding} gives no text; mend the coding line") from error
    if "\0" in text:
        raise UndecodableError("it contains a null byte, which no Python source may")
    return text, encoding


def _why_not_utf8(data: bytes) -> str | None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _where(data, error)
    return None


def _where(data: bytes, error: UnicodeDecodeError) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    do = (
        "name the encoding in a coding line"
        if error.encoding == "utf-8"
        else "mend the coding line"
    )
    return f"byte 0x{data[error.start]:02x} in line {line} is not {error.encoding}; {do}"


@dataclass(frozen=True)
class Text:
    """Source text with its lines; lines count from 1, columns in code points from 0."""

    text: str
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        ends = (match.end() for match in LINE_END.finditer(self.text))
        object.__setattr__(self, "starts", (0, *ends))

    @classmethod
    def read(cls, path: Path) -> Text:
        """Read a file. Raises OSError and UndecodableError."""
        return cls(decode(path.read_bytes())[0])

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a place, at most the end of the text."""
        if line > len(self.starts):
            return len(self.text)
        return min(self.starts[line - 1] + column, len(self.text))

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1]

    def span(self, start: int, end: int) -> Span:
        """Return the span between two offsets."""
        return Span(*self.place(start), *self.place(end))

    def slice(self, span: Span) -> str:
        """Return what stands in a span."""
        start = self.offset(span.line, span.column)
        return self.text[start : self.offset(span.end_line, span.end_column)]

    def line(self, number: int) -> str:
        """Return a line without its end."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end].rstrip("\r\n")
