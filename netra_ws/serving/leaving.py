"""How the process leaves, whatever an agent has left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

LEFT_END_S = 0.1
"""Time that threads and tasks of agents have to end, of the half second that is left to the
interpreter."""

_waits_for_nobody = False


def workers_end() -> bool:
    """Whether all threads for which the interpreter would wait end within `LEFT_END_S`."""
    main = threading.main_thread()
    workers = [one for one in threading.enumerate() if one is not main and not one.daemon]
    by = time.monotonic() + LEFT_END_S
    for worker in workers:
        worker.join(max(0.0, by - time.monotonic()))
    return not any(worker.is_alive() for worker in workers)


def wait_for_nobody() -> None:
    """Let `leave` wait for no thread."""
    global _waits_for_nobody
    _waits_for_nobody = True


def leave(code: str | int | None) -> NoReturn:
    """Exit as `sys.exit` does; what was written has been flushed."""
    if _waits_for_nobody:
        os._exit(code if isinstance(code, int) else bool(code))
    sys.exit(code)
