"""What the investigator imports from `netra_ws`, and what a tree's `netra_ws` lacks of it.

Nothing here imports `netra_ws`: it may be that of the tree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LACKS = "lacks what its investigation imports"

IMPORT = re.compile(r"^ *from (netra_ws(?:\.\w+)*) import ", re.MULTILINE)


@cache
def needed() -> frozenset[str]:
    """Return the modules of `netra_ws` that the investigator imports."""
    sources = Path(__file__).parent.rglob("*.py")
    return frozenset(
        name for path in sources for name in IMPORT.findall(path.read_text(encoding="utf-8"))
    )


def lacking(tree: Path) -> list[str]:
    """Return the modules that the investigator imports and the tree does not have."""
    places = {name: tree.joinpath(*name.split(".")) for name in needed()}
    return sorted(
        name
        for name, place in places.items()
        if not place.with_suffix(".py").is_file() and not (place / "__init__.py").is_file()
    )


def words(tree: str | Path, what: str) -> str:
    """Return the one line that says what a tree lacks."""
    return f"the netra_ws in {tree} {LACKS}: {what}"


def explained(error: ImportError, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return that line for an import that failed in a tree; `None` if it failed otherwise."""
    tree = environ.get("NETRA_WS_TREE")
    of_tree = (error.name or "").partition(".")[0] == "netra_ws"
    return words(tree, str(error)) if tree is not None and of_tree else None
