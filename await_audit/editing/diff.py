"""The difference that a fix makes, as `git apply` and `patch` read it."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from await_audit.editing.fix import FileFix

STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
"""The styles of the lines of a diff by what they begin with, the longest beginning first."""


def diff(fix: FileFix, folder: Path) -> list[bytes]:
    """Return the lines of a unified diff in the bytes of the file, none if nothing changes.

    The names in it are relative to `folder`.
    """
    name = Path(os.path.relpath(fix.path, folder)).as_posix()
    old, new = (os.fsencode(_quoted(f"{side}/{name}")) for side in "ab")
    before, after = _lines(fix.before), _lines(fix.after)
    lines = difflib.diff_bytes(difflib.unified_diff, before, after, old, new, lineterm=b"\n")
    unended = b"\n\\ No newline at end of file\n"
    return [line if line.endswith(b"\n") else line + unended for line in lines]


def _quoted(name: str) -> str:
    """Write a name as git does: in quotes if there is a letter in it that cannot be printed."""
    written = ""
    for letter in name:
        if letter in '"\\':
            written += f"\\{letter}"
        elif letter.isprintable():
            written += letter
        else:
            written += "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))
    return name if written == name else f'"{written}"'


def _lines(data: bytes) -> list[bytes]:
    """Split at line feeds alone, as git does."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
