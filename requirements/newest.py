"""What the newest versions change: which are newer than the lock, and what page 09 would say.

`make test-newest` runs this in an environment without the lock. It judges nothing: a tool that
sees more, or less, than the page says is news for whoever renews the lock.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import nbformat
from ending import end
from lock import differences, installed, locked_here

from netra_incident.measuring.matrix import measure_matrix

PAGE = Path(__file__).parents[1] / "notebooks" / "09-prevent.ipynb"
COMPARISON = "measure_matrix()"


def committed() -> str:
    """Return the comparison of the tools as the page shows it."""
    (cell,) = (
        cell
        for cell in nbformat.read(PAGE, as_version=4).cells
        if cell.cell_type == "code" and COMPARISON in cell.source
    )
    return str(cell.outputs[0].data["text/plain"])


def main() -> int:
    """Print both."""
    locked, here = locked_here(), installed()
    moved = differences(locked, {name: here[name] for name in locked if name in here})
    print("other than in the lock:", *(moved or ["nothing"]), sep="\n  ")
    old, new = committed().splitlines(), repr(measure_matrix()).splitlines()
    changed = difflib.unified_diff(old, new, "page 09", "with these versions", lineterm="")
    print("the comparison of page 09:", *(list(changed) or ["as the page says"]), sep="\n  ")
    return 0


if __name__ == "__main__":
    end(main)
