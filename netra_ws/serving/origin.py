"""Whose code runs: that of the tree which was asked for, and no other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import netra_ws
from netra_ws.errors import ConfigurationError

TREE = "NETRA_WS_TREE"
"""The folder whose `netra_ws` must be the one that runs."""

REVISION = "NETRA_WS_REVISION"
"""What people call the code of that tree."""

SCRATCH = "NETRA_WS_SCRATCH"
"""A folder that the process deletes when it ends."""


def check_origin(environ: Mapping[str, str] = os.environ) -> None:
    """Raise `ConfigurationError` if the package that runs is not the one of `TREE`."""
    tree = environ.get(TREE)
    if tree is None:
        return
    expected = (Path(tree) / "netra_ws").resolve()
    actual = Path(netra_ws.__file__).parent.resolve()
    if actual != expected:
        msg = f"netra_ws came from {actual}, expected {expected}; check PYTHONPATH"
        raise ConfigurationError(msg)


@contextmanager
def naming_the_tree() -> Iterator[None]:
    """Turn what keeps the code of a tree from being imported into a `ConfigurationError`."""
    try:
        yield
    except Exception as error:  # an import runs anything, and may raise anything
        package = error.name if isinstance(error, ModuleNotFoundError) else None
        tree = os.environ.get(TREE)
        if tree is None or (package and package.partition(".")[0] != "netra_ws"):
            raise  # a package that is not installed is not a fault of the tree
        msg = f"the netra_ws in {tree} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error
