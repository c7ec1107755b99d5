"""Parsing of what somebody sent, at a bounded cost for everybody else."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from netra_ws import source
from netra_ws.errors import TooCostly

SMALL = 1024
"""Characters of a text parsed in the loop: 3 ms at worst; 64 KiB take seconds (measured)."""


class _Turns:
    """Who may start a process: one text of each user, so that nobody waits for all of another's."""

    def __init__(self) -> None:
        self.processes = asyncio.Semaphore(2)
        self.users: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


async def parse(text: str, user_id: str) -> dict[str, Any]:
    """Return what `netra_ws.source.read_source` finds in a text of the user.

    Raises `TooCostly` past the limits of `netra_ws.source`, `ChildProcessError` if the process
    that parses a large text fails, `OSError` if it cannot start.
    """
    if len(text) <= SMALL:
        return source.read_source(text)
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    async with turns.users.setdefault(user_id, asyncio.Lock()), turns.processes:
        return await _parse_aside(text)


async def _parse_aside(text: str) -> dict[str, Any]:
    """Parse without SIGINT; not in a thread: in CPython 3.11 two at once end in `SystemError`."""
    program = (sys.executable, "-I", "-S", source.__file__)
    process = await asyncio.create_subprocess_exec(
        *program, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        found, said = await process.communicate(text.encode("utf-8", "surrogatepass"))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode in (-signal.SIGPROF, source.TOO_LARGE):
        limits = f"{source.CPU_LIMIT_S:g} s of CPU time or {source.MEMORY_LIMIT_BYTES >> 20} MiB"
        raise TooCostly(f"{len(text)} characters took more than {limits} to parse")
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise ChildProcessError(f"the parser ended with {process.returncode}: {last}")
    return json.loads(found)  # type: ignore[no-any-return]
