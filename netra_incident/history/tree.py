"""Running a tree: the code that is asked for, in a process of its own, and no other."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import netra_ws
from netra_incident.case import Revision
from netra_incident.history.checkout import ORIGIN, PACKAGE, GitFailed, checkout, git
from netra_ws.errors import ConfigurationError

TREE = "NETRA_WS_TREE"
"""The folder whose `netra_ws` must be the one that runs."""

SCRATCH = "NETRA_WS_SCRATCH"
"""A folder that the process deletes when it ends."""

COMMIT = "NETRA_WS_COMMIT"
REVISION = "NETRA_WS_REVISION"

STAND_IN = str(Path(__file__).parent / "stand_in")
"""What is put on the path: it brings the `netra_ws` of `TREE`, and nothing else of that folder."""


def tree_environment(
    tree: Path, commit: str, label: str, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment in which a child loads `netra_ws`, and it alone, from `tree`.

    Empty entries of PYTHONPATH are dropped: they mean the working directory, which would come
    first and silently bring the wrong package.
    """
    return {
        **environ,
        "PYTHONPATH": os.pathsep.join([STAND_IN, *_other_entries(environ)]),
        "PYTHONSAFEPATH": "1",
        TREE: str(tree),
        ORIGIN: str(PACKAGE),
        COMMIT: commit,
        REVISION: label,
    }


def _other_entries(environ: Mapping[str, str]) -> list[str]:
    """Return the entries of PYTHONPATH that lead to no tree."""
    entries = environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in entries if entry not in {"", STAND_IN}]


def outside(environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """Return the environment without the tree that it leads to, or `None` if it leads to none."""
    if STAND_IN not in environ.get("PYTHONPATH", "").split(os.pathsep):
        return None
    others = os.pathsep.join(_other_entries(environ))
    names = {TREE, ORIGIN, COMMIT, REVISION, SCRATCH, "PYTHONPATH"}
    kept = {name: value for name, value in environ.items() if name not in names}
    return kept | ({"PYTHONPATH": others} if others else {})


def has_become(asked: str, *, is_tree: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process was started in the environment of `resolve_tree` for what is asked.

    `SCRATCH` is handed to that process and no further; what else is there may be inherited.
    """
    arrived = environ.get(TREE) == asked if is_tree else SCRATCH in environ
    return arrived and environ.get(REVISION) == asked


def commit_of(tree: Path) -> str:
    """Return the commit of a person's tree, ``-dirty`` if it was changed since."""
    if not (tree / ".git").exists():
        return "unknown"
    try:
        commit = git("rev-parse", "HEAD", cwd=tree).strip()
    except GitFailed:
        return "unknown"  # a repository without a commit
    dirty = git("status", "--porcelain", "--untracked-files=no", cwd=tree)
    return f"{commit}-dirty" if dirty else commit


def check_origin(environ: Mapping[str, str] = os.environ) -> None:
    """Raise `ConfigurationError` if the package that runs is not the one of `NETRA_WS_TREE`."""
    tree = environ.get(TREE)
    if tree is None:
        return
    expected = (Path(tree) / "netra_ws").resolve()
    actual = Path(netra_ws.__file__).parent.resolve()
    if actual != expected:
        msg = f"netra_ws came from {actual}, expected {expected}; check PYTHONPATH"
        raise ConfigurationError(msg)


def check_tree(tree: Path) -> Path:
    """Return the absolute path of `tree`; raises `ConfigurationError` if it has no package."""
    tree = tree.resolve()
    if not (tree / "netra_ws" / "__init__.py").is_file():
        raise ConfigurationError(f"{tree} holds no package netra_ws")
    return tree


def check_syntax(tree: Path) -> None:
    """Raise `ConfigurationError` if a module of the package in `tree` is no Python.

    The process that would run it could not say so: it does not get as far as its own code.
    """
    for path in sorted((tree / "netra_ws").rglob("*.py")):
        if not path.is_file():
            continue  # an editor's lock is a link to nothing
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from error
        except (SyntaxError, ValueError) as error:  # a null byte is a ValueError up to Python 3.11
            line = getattr(error, "lineno", None) or 1
            why = getattr(error, "msg", error)
            raise ConfigurationError(f"{path}:{line}: {why}; mend it and start again") from error


def resolve_tree(revision: Revision | None, tree: Path | None) -> dict[str, str]:
    """Return the environment in which a tree, or else a revision, runs.

    A revision is checked out into a scratch folder, named by `SCRATCH` in the environment.
    Raises `ConfigurationError` if there is no package in `tree`, or one that is no Python.
    """
    if tree is not None:
        tree = check_tree(tree)
        check_syntax(tree)
        return tree_environment(tree, commit_of(tree), str(tree))
    assert revision is not None
    scratch = Path(tempfile.mkdtemp(prefix="netra-ws-")).resolve()
    try:
        commit = checkout(revision, scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return {**tree_environment(scratch, commit, revision.name), SCRATCH: str(scratch)}


def command(*arguments: str) -> list[str]:
    """Return the command line that runs `netra-ws` with these arguments in a child."""
    return [sys.executable, "-P", "-m", "netra_ws", *arguments]
