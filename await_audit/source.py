"""The text of one source file, and the way from its offsets to lines and columns."""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path

from await_audit.finding import Span

LINE_END = re.compile(r"\r\n|\r|\n")
ASCII = bytes(byte if 0 < byte < 128 else ord("?") for byte in range(256))


class UndecodableError(Exception):
    """Raised when Python could not read a file as source text; its words say why."""


def decode(data: bytes) -> tuple[str, str]:
    """Decode source as Python does: a byte order mark, a coding line (PEP 263), or else UTF-8.

    Returns the text, line ends as they are and the mark taken off, and the name of the encoding.
    Raises UndecodableError.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(_ascii(data)).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError(_where(error)) from error
    except (SyntaxError, LookupError, UnicodeError) as error:
        msg = "its coding line names an unknown encoding, or one that it is not in; mend that line"
        raise UndecodableError(msg) from error
    if "\0" in text:
        raise UndecodableError("it contains a null byte, which no Python source may")
    return text, encoding


def _ascii(data: bytes) -> bytes:
    """Return the source with a question mark for each byte that no coding line needs.

    What `tokenize` says of other bytes in the first two lines differs from Python to Python.
    """
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    return mark + data.removeprefix(mark).translate(ASCII)


def _where(error: UnicodeDecodeError) -> str:
    line = error.object.count(b"\n", 0, error.start) + 1
    do = (
        "name the encoding in a coding line"
        if error.encoding == "utf-8"
        else "mend the coding line"
    )
    return f"byte 0x{error.object[error.start]:02x} in line {line} is not {error.encoding}; {do}"


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

    def byte_offset(self, line: int | None, column: int | None) -> int:
        """Return the offset of a place as `ast` counts it, its column in bytes of UTF-8."""
        number = line or 1
        return self.offset(number, len(self.line(number).encode()[: column or 0].decode()))

    def offsets(self, span: Span) -> tuple[int, int]:
        """Return the offsets of both ends of a span."""
        return self.offset(span.line, span.column), self.offset(span.end_line, span.end_column)

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1]

    def span(self, start: int, end: int) -> Span:
        """Return the span between two offsets."""
        return Span(*self.place(start), *self.place(end))

    def slice(self, span: Span) -> str:
        """Return what stands in a span."""
        return self.text[slice(*self.offsets(span))]

    def line(self, number: int) -> str:
        """Return a line without its end."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end].rstrip("\r\n")
