"""Write mended files so that each is the old one or the new one at any moment."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from await_audit.editing.fix import FileFix
from await_audit.errors import AuditError

ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def write(fixes: Iterable[FileFix]) -> list[Path]:
    """Write the files that change, and return their paths.

    Each new file is made whole beside the old one, with its mode and, where that is allowed, its
    owner, and then takes its place; a symbolic link stays and its target is written. If one of them
    cannot be made, none is written. Raises AuditError for a file that may not be written, or
    that is no longer what was judged.
    """
    fixes = [fix for fix in fixes if fix.changed]
    made: list[tuple[Path, Path]] = []
    written: list[Path] = []
    try:
        for fix in fixes:
            target = _target(fix)
            made.append((_made_beside(target, fix), target))
        for (temporary, target), fix in zip(made, fixes, strict=True):
            try:
                temporary.replace(target)
            except OSError as error:
                done = f"; {len(written)} files before it were written" if written else ""
                raise _refused(fix.path, error.strerror or str(error), done) from error
            written.append(fix.path)
    finally:
        for temporary, _ in made[len(written) :]:
            with suppress(OSError):
                temporary.unlink()
    for folder in {target.parent for _, target in made}:
        _sync_folder(folder)
    return written


def _target(fix: FileFix) -> Path:
    """Return the file itself, if it may be written and is the one that was judged."""
    try:
        target = fix.path.resolve(strict=True)
        mode = target.stat().st_mode
        same = target.read_bytes() == fix.before
    except OSError as error:
        raise _refused(fix.path, error.strerror or str(error)) from error
    # Root may write everything; whoever took all rights to write away meant root as well.
    if not mode & ANYBODY_WRITES or not os.access(target, os.W_OK):
        raise _refused(fix.path, "the file is read-only")
    if not same:
        raise _refused(fix.path, "it changed while it was judged; run the command again")
    return target


def _made_beside(target: Path, fix: FileFix) -> Path:
    try:
        status = target.stat()
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise _refused(fix.path, f"its folder: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(fix.after)
            file.flush()
            if hasattr(os, "fchown"):
                with suppress(PermissionError):  # only root gives a file away
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
            temporary.chmod(stat.S_IMODE(status.st_mode))
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _refused(fix.path, error.strerror or str(error)) from error
    return temporary


def _refused(path: Path, why: str, done: str = "; nothing was written") -> AuditError:
    return AuditError(f"{path}: cannot be written: {why}{done}")


def _sync_folder(folder: Path) -> None:
    """Make the new names last through a loss of power, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
