"""File descriptors: each TCP connection takes one, and the process may have only so many."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from typing import Any

import msgspec
import structlog

from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings

if sys.platform != "win32":  # where sockets are not among the files that are limited
    import resource

logger = structlog.get_logger(__name__)

RESERVE = 128
"""Descriptors for all else: a server that listens has 15 (measured), agents open files."""

ACCEPTED_AT_ONCE = 400
"""Connections of one service that asyncio accepts, 100 a turn, before it shows the first."""

LEAST_CONNECTIONS = 16
"""Connections of a service below which it does not start."""

EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def fit_limits(settings: Settings, *, backend: bool, auth: bool) -> Settings:
    """Raise the soft limit of descriptors; where too few are allowed, return lower settings.

    Raises `ConfigurationError` below `LEAST_CONNECTIONS`.
    """
    if sys.platform == "win32":
        return settings
    services = backend + auth
    reserve = RESERVE + services * ACCEPTED_AT_ONCE
    pending = settings.max_pending_connections
    needed = reserve + services * pending + backend * settings.max_connections
    limit = _raise_limit(needed)
    if limit >= needed:
        return settings
    room = limit - reserve
    least = services * LEAST_CONNECTIONS
    if room < least:
        msg = f"ulimit -n is {limit}: expected {needed} for the limits that are set"
        raise ConfigurationError(f"{msg}, and {reserve + least} at the least; raise it")
    pending = min(pending, room // (4 * services) if backend else room)  # one in four
    connections = settings.max_connections
    if backend:
        connections = min(connections, room - services * pending)
    lowered = {"max_connections": connections, "max_pending_connections": pending}
    logger.warning("limits lowered to fit ulimit -n", nofile=limit, needed=needed, **lowered)
    per_user = min(settings.max_connections_per_user, connections)
    return msgspec.structs.replace(settings, **lowered, max_connections_per_user=per_user)


def _raise_limit(needed: int) -> int:
    """Raise the soft limit to what is needed or to the hard limit; return the one in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if wanted <= soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a system may allow less than its hard limit says
        return soft
    return wanted


class Watch:
    """Logs one line when there are no descriptors left, and another when there are again."""

    def __init__(self) -> None:
        self._exhausted = False

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take an exception of the loop: each accept that fails is one, a hundred in a turn."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in EXHAUSTED and "socket" in context:
            self._report(error)
        else:
            loop.default_exception_handler(context)

    def look(self) -> None:
        """Look every second from now on: uvloop does not say that it could not accept."""
        asyncio.get_running_loop().call_later(1, self.look)
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            self._report(error)
        else:
            if self._exhausted:
                self._exhausted = False
                logger.warning("file descriptors available again")

    def _report(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            logger.error("out of file descriptors: no connection is accepted", error=str(error))
