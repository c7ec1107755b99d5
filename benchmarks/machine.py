"""The machine: which core serves and which one asks, what a process has used of it."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import time
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import psutil

from netra_ws.errors import ConfigurationError

LIBRARIES = (
    "websockets", "msgspec", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "orjson",
    "aiohttp", "PyJWT",
)  # fmt: skip
"""What the figures depend on, beside the interpreter."""


class Cores(NamedTuple):
    """The core that serves, and the one that asks."""

    server: int
    client: int


def choose_cores() -> Cores:
    """Return two cores that this process may use.

    Raises `ConfigurationError` if there are no two, or if this is not Linux: only there can a
    process be held to a core and its time be read to the nanosecond.
    """
    if sys.platform != "linux":
        msg = (
            f"this benchmark needs Linux, whose processes can be held to a core; got {sys.platform}"
        )
        raise ConfigurationError(msg)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        msg = f"expected two cores, one for the server and one for the client, got {len(cores)}"
        raise ConfigurationError(f"{msg}; run it on a larger machine, or without taskset")
    return Cores(cores[0], cores[-1])


def raise_file_limit(needed: int) -> None:
    """Let this process and its children open as many files as the system allows.

    Raises `ConfigurationError` if that is fewer than `needed`.
    """
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < needed:
        msg = f"expected a limit of at least {needed:,} open files, got {most:,}"
        raise ConfigurationError(f"{msg}; raise it with ulimit -Hn, or leave out that scenario")


PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def settle_child(core: int | None) -> None:
    """Hold this process, a child that has just been made, to a core; let it end with its parent."""
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if core is not None:
        os.sched_setaffinity(0, {core})


class Clock:
    """The processor time that another process has used, all of its threads, user and system."""

    def __init__(self, pid: int) -> None:
        clock = ctypes.c_int()
        error = _libc().clock_getcpuclockid(pid, ctypes.byref(clock))
        if error:
            raise ProcessLookupError(error, os.strerror(error))
        self._id = clock.value

    def seconds(self) -> float:
        """Return the seconds so far; raises `OSError` once the process has ended."""
        return time.clock_gettime_ns(self._id) / 1e9


def private_bytes(pid: int) -> int:
    """Return the memory that only this process holds, in bytes (USS)."""
    return int(psutil.Process(pid).memory_full_info().uss)


def cpu_model() -> str:
    """Return the name that the processor gives to itself."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - not a file on a disk
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def libraries() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    return {name: version(name) for name in LIBRARIES}
