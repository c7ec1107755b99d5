"""Which source files an audit judges, and which it could not read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from await_audit.errors import AuditError
from await_audit.finding import Unjudged
from await_audit.git import Repository
from await_audit.ignores import MARK
from await_audit.source import Text, UndecodableError, decode

NOT_SOURCE = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders of files that others wrote or that are generated. Hidden folders and virtual
environments are left out too, and what git ignores, unless it is given as a path itself."""

EMPTY: Set[Any] = frozenset()

DEEPEST = 300
"""Folders above a file that is judged: Python takes a copy of them away by a call a folder."""

ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
"""What the folder of an environment holds: a virtual one (PEP 405), one of conda."""


@dataclass(slots=True)
class Files:
    """The files of an audit by their absolute paths, in order.

    `folders` are those that were given, to be judged with all that is below them. `recoded` holds
    the text of the files that are not in UTF-8, which the type checkers read alone; `marked` are
    those that may hold an ignore; `ignored` are those left out that git ignores.
    """

    paths: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    recoded: dict[Path, str] = field(default_factory=dict)
    marked: set[Path] = field(default_factory=set)
    ignored: set[Path] = field(default_factory=set)
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
    for path in _candidates(paths, files):
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if not stat.S_ISREG(status.st_mode):
                files.unjudged.append(Unjudged(path, None, "is not a regular file"))
                continue
            if why := _unnamed(path):
                files.unjudged.append(Unjudged(path, None, why))
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
        raise nothing(paths, files.ignored)
    files.paths.sort()
    files.ignored.difference_update(files.paths)
    return files


def nothing(paths: Iterable[Path], ignored: Set[Path]) -> AuditError:
    """Return the error for `paths` below which there is no Python file, but those `ignored`."""
    where = ", ".join(str(path) for path in paths)
    but = f" but {len(ignored)} that git ignores" if ignored else ""
    return AuditError(
        f"expected Python files (*.py) at {where}, found none{but}; give another path"
    )


def find_ignored(paths: Iterable[Path]) -> Set[Path]:
    """Return the Python files below `paths` that are left out because git ignores them."""
    files = Files()
    for path in paths:
        if path.is_dir():
            for _ in _below(path, files, _ignored_by_git(path)):
                pass
    return files.ignored


def _candidates(paths: Iterable[Path], files: Files) -> Iterator[Path]:
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - links stay as the user named them
        try:
            folder = path.is_dir()
            path.stat()
        except FileNotFoundError as error:
            raise AuditError(f"{given}: no such file or folder") from error
        except OSError as error:
            files.unjudged.append(Unjudged(path, None, f"cannot be read: {_words(error)}"))
            continue
        if folder:
            files.folders.append(path)
            yield from _below(path, files, _ignored_by_git(path))
        elif path.suffix == ".py":
            yield path
        else:
            msg = f"{given}: expected a Python file (*.py) or a folder; rename it or leave it out"
            raise AuditError(msg)


def _below(
    top: Path, files: Files, ignored: Set[Path], above: Set[tuple[int, int]] = EMPTY
) -> Iterator[Path]:
    """Yield the Python files below a folder; `above` are the folders (device, inode) on the way."""
    pending = [(top, ignored, above)]  # folders can be nested deeper than calls
    while pending:
        folder, ignored, above = pending.pop()
        try:
            status = folder.stat()
        except OSError as error:
            files.unjudged.append(Unjudged(folder, None, f"cannot be read: {_words(error)}"))
            continue
        if (itself := (status.st_dev, status.st_ino)) in above:
            why = "is a symbolic link to a folder above it, which was not followed"
            files.unjudged.append(Unjudged(folder, None, why))
            continue
        if folder != top and os.path.lexists(folder / ".git"):
            ignored = ignored | _ignored_by_git(folder)
        for path, is_folder in _entries(folder, files):
            if path in ignored:
                below = _below(path, Files(), EMPTY, above | {itself}) if is_folder else [path]
                files.ignored.update(below)
            elif is_folder:
                pending.append((path, ignored, above | {itself}))
            else:
                yield path


def _entries(folder: Path, files: Files) -> Iterator[tuple[Path, bool]]:
    """Yield the Python files in a folder, and the folders of source in it, which are marked."""
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        files.unjudged.append(Unjudged(folder, None, f"cannot be read: {_words(error)}"))
        return
    for entry in ordered:
        path = folder / entry.name
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            files.unjudged.append(Unjudged(path, None, f"cannot be read: {_words(error)}"))
            continue
        if is_source(path) if is_folder else path.suffix == ".py":
            yield path, is_folder


def _ignored_by_git(folder: Path) -> Set[Path]:
    """Return what git ignores below a folder; nothing where there is no repository, or no git."""
    try:
        return Repository(folder).ignored(folder)
    except AuditError:
        return frozenset()


def _unnamed(path: Path) -> str | None:
    """Return why no type checker reads a path, None if they do."""
    try:
        os.fsencode(path).decode()
    except UnicodeError:
        return "its path is not UTF-8, which type checkers do not read; rename it"
    try:
        str(path).encode()
    except UnicodeError:
        return "its path is UTF-8, which this locale does not read; set PYTHONUTF8=1"
    if len(path.parts) > DEEPEST:
        return f"it is more than {DEEPEST} folders deep, which cannot be copied; move it"
    if "\\" in str(path).replace(os.sep, ""):
        return "its path has a backslash, which type checkers do not read; rename it"
    return None


def is_source(folder: Path) -> bool:
    """Whether a folder holds what its author wrote, as its name and its files show."""
    hidden = folder.name.startswith(".") or folder.name in NOT_SOURCE
    # os.path.exists says no where a folder may not be entered; Path.exists raises.
    made = any(os.path.exists(folder / name) for name in ENVIRONMENT)  # noqa: PTH110
    return not hidden and not made


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
