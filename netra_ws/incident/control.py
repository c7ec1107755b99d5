"""Negative controls: trees that are broken on purpose, to see that a check can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netra_ws.incident.checkout import git, scratch_checkout

CONTROLS = Path(__file__).parent / "controls"


@contextmanager
def leaky_tree() -> Iterator[Path]:
    """Give a temporary folder with `fixed`, but one log for all users.

    A check of isolation that finds nothing on this tree finds nothing at all.
    """
    with scratch_checkout("fixed") as folder:
        git("apply", str(CONTROLS / "leak.patch"), cwd=folder)
        yield folder
