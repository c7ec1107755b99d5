"""The wall clock of another process, to be moved while it runs; its monotonic clock stays.

By libfaketime (Debian: ``apt-get install libfaketime``), which reads a file whenever the process
asks for the time.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDERS = (Path("/usr/lib"), Path("/usr/local/lib"))
NAME = "faketime/libfaketime.so.1"
SHARED_MEMORY = Path("/dev/shm")


def library() -> Path | None:
    """Return where libfaketime is; `None` if this system has none, or cannot preload one."""
    if sys.platform != "linux":
        return None
    found = [path for folder in FOLDERS for path in (*folder.glob(NAME), *folder.glob(f"*/{NAME}"))]
    return found[0] if found else None


def forget(pid: int) -> None:
    """Remove what libfaketime leaves of a process that was killed.

    A later process with the same number meets an error over them (README of libfaketime).
    """
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (SHARED_MEMORY / name).unlink(missing_ok=True)


class WallClock:
    """A wall clock that is right at first; `environment` is that of a process that lives by it."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.move(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def move(self, seconds: float) -> None:
        """Be so many seconds fast from now on; slow if less than 0."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+f}\n")
        new.replace(self._file)
