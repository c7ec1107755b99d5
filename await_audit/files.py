"""Which source files an audit judges, and which it could not read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from await_audit.errors import AuditError
from await_audit.finding import Unjudged
from await_audit.ignores import MARK
from await_audit.source import Text, UndecodableError, decode

NOT_SOURCE = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders of files that others wrote or that are generated. Hidden folders and virtual
environments are left out too, unless they are given as a path themselves."""


@dataclass(slots=True)
class Files:
    """The files of an audit by their absolute paths, in order.

    `recoded` holds the text of those that are not in UTF-8, which the type checkers read alone;
    `marked` are those that may hold an ignore.
    """

    paths: list[Path] = field(default_factory=list)
    recoded: dict[Path, str] = field(default_factory=dict)
    marked: set[Path] = field(default_factory=set)
    unjudged: list[Unjudged] = field(default_factory=list)

    def text(self, path: Path) -> Text:
        """Return the text of one of the files."""
        return Text(self.recoded[path]) if path in self.recoded else Text.read(path)


def find_files(paths: Sequence[Path]) -> Files:
    """Find the Python files at and below `paths`, each once, and try to read them.

    What cannot be read becomes Unjudged. Raises AuditError for a path that does not exist,
    for a file that is not Python, and where no file is left to judge nor to complain of.
    """
    files = Files()
    seen: set[tuple[int, int]] = set()
    for path in _candidates(paths, files.unjudged):
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if not stat.S_ISREG(status.st_mode):
                files.unjudged.append(Unjudged(path, None, "is not a regular file"))
                continue
            if not _can_be_named(path):
                why = "its path is not UTF-8 or has a backslash, which type checkers do not read"
                files.unjudged.append(Unjudged(path, None, f"{why}; rename it"))
                continue
            data = path.read_bytes()
            text, encoding = decode(data)
        except OSError as error:
            files.unjudged.append(Unjudged(path, None, f"cannot be read: {_words(error)}"))
        except UndecodableError as error:
            files.unjudged.append(Unjudged(path, None, f"cannot be decoded: {error}"))
        else:
            files.paths.append(path)
            if encoding not in {"utf-8", "utf-8-sig"}:
                files.recoded[path] = text
            if MARK in data:
                files.marked.add(path)
    if not files.paths and not files.unjudged:
        where = ", ".join(str(path) for path in paths)
        msg = f"expected Python files (*.py) at {where}, found none; give another path"
        raise AuditError(msg)
    files.paths.sort()
    return files


def _candidates(paths: Iterable[Path], unjudged: list[Unjudged]) -> Iterator[Path]:
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - links stay as the user named them
        try:
            folder = path.is_dir()
            path.stat()
        except FileNotFoundError as error:
            raise AuditError(f"{given}: no such file or folder") from error
        except OSError as error:
            unjudged.append(Unjudged(path, None, f"cannot be read: {_words(error)}"))
            continue
        if folder:
            yield from _below(path, frozenset(), unjudged)
        elif path.suffix == ".py":
            yield path
        else:
            msg = f"{given}: expected a Python file (*.py) or a folder; rename it or leave it out"
            raise AuditError(msg)


def _below(folder: Path, above: frozenset[str], unjudged: list[Unjudged]) -> Iterator[Path]:
    """Yield the Python files below a folder; `above` are the real paths that lead to it."""
    real = os.path.realpath(folder)
    if real in above:
        why = "is a symbolic link to a folder above it, which was not followed"
        unjudged.append(Unjudged(folder, None, why))
        return
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        unjudged.append(Unjudged(folder, None, f"cannot be read: {_words(error)}"))
        return
    for entry in ordered:
        path = folder / entry.name
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            unjudged.append(Unjudged(path, None, f"cannot be read: {_words(error)}"))
            continue
        if is_folder:
            if _is_source(path):
                yield from _below(path, above | {real}, unjudged)
        elif path.suffix == ".py":
            yield path


def _can_be_named(path: Path) -> bool:
    try:
        return "\\" not in str(path).encode().decode().replace(os.sep, "")
    except UnicodeEncodeError:
        return False


def _is_source(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in NOT_SOURCE
    # os.path.exists says no where a folder may not be entered; Path.exists raises.
    return not hidden and not os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
