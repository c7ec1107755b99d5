"""Several threads at once: `verify` deploys and judges two revisions side by side."""

from __future__ import annotations

import sys

import leash
from processes import clean_environment

TRIES = 12
"""Without the guard a process crashed in 22 of 40 tries: all of these would pass once in 14,000."""

CODE = """\
import sys
from concurrent.futures import ThreadPoolExecutor
from netra_incident.case import told_case
sys.setswitchinterval(1e-6)
with ThreadPoolExecutor(4) as pool:
    print(*{case.id for case in pool.map(lambda _: told_case(), range(4))})
"""


def test_threads_that_read_the_case_first_do_not_end_the_process() -> None:
    """msgspec 0.22 ends a process whose threads decode a type for the first time at once."""
    for _ in range(TRIES):
        done = leash.run([sys.executable, "-P", "-c", CODE], env=clean_environment())
        assert done.returncode == 0, done
        assert len(done.stdout.split()) == 1
