"""Negative controls: trees that are broken on purpose, to see that a check can fail."""

from __future__ import annotations

from pathlib import Path

from netra_ws.incident.checkout import git, scratch_checkout

CONTROLS = Path(__file__).parent / "controls"


def leaky_tree() -> Path:
    """Return a scratch folder with `fixed`, but one log for all users; it is deleted at exit.

    A check of isolation that finds nothing on this tree finds nothing at all.
    """
    folder = scratch_checkout("fixed")
    git("apply", str(CONTROLS / "leak.patch"), cwd=folder)
    return folder
