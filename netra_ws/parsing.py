"""Parsing of what somebody sent, at a bounded cost for everybody else.

Guarded by ``tests/integration/test_parsing.py``.
"""

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
"""Characters of a text that is parsed at once. The worst take 3 ms (measured, 76 kinds of hostile
text, Python 3.11 to 3.13); of 64 KiB the worst take seconds, in which nobody else has a turn."""

AT_A_TIME = 2
"""Processes that parse larger texts, one a user at most."""


class _Turns:
    """Who may start a process: one text a user, so that nobody waits behind all of another's."""

    def __init__(self) -> None:
        self.processes = asyncio.Semaphore(AT_A_TIME)
        self.users: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


async def parse(text: str, user_id: str) -> dict[str, Any]:
    """Return what `netra_ws.source.read_source` finds in a text of the user.

    Parsed in the thread of the loop if it is small, and else in another process: never in a thread
    beside it, for on CPython 3.11 two threads that make syntax trees end in `SystemError`.

    Raises `TooCostly` for what takes more time or memory than `netra_ws.source` has for it,
    `ChildProcessError` if the process fails, `OSError` if there is no room for one.
    """
    if len(text) <= SMALL:
        return source.read_source(text)
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    async with turns.users.setdefault(user_id, asyncio.Lock()), turns.processes:
        return await _parse_aside(text)


async def _parse_aside(text: str) -> dict[str, Any]:
    """Parse in a process of its own: the same file as here, so the same code.

    It inherits no socket, and does not get the terminal's SIGINT. Should this process be killed,
    its standard input ends and so does it, after `CPU_LIMIT_S` at the latest.
    """
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
