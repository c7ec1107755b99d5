"""The keeper that `leash` starts: it kills what is on its list when its standard input ends.

A line is ``+`` or ``-`` and a target of `os.kill`, which is put on the list or taken off it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Keep the list to the end, and then kill."""
    kept: set[int] = set()
    for line in sys.stdin:
        (kept.add if line[0] == "+" else kept.discard)(int(line[1:]))
    for target in kept:
        with suppress(OSError):  # it has ended by itself
            os.kill(target, signal.SIGKILL)


if __name__ == "__main__":
    main()
