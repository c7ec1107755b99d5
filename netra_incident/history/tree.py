"""Running a tree: the code that is asked for, in a process of its own, and no other."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from netra_incident.case import Revision
from netra_incident.history.checkout import GitFailed, checkout, git
from netra_incident.lacking import lacking, words
from netra_ws.errors import ConfigurationError
from netra_ws.serving.origin import REVISION, SCRATCH, TREE

COMMIT = "NETRA_WS_COMMIT"

BACKEND = (sys.executable, "-P", "-m", "netra_ws")
"""The command line that runs the backend of an environment."""

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
        COMMIT: commit,
        REVISION: label,
    }


def _other_entries(environ: Mapping[str, str]) -> list[str]:
    """Return the entries of PYTHONPATH that lead to no tree."""
    entries = environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in entries if entry not in {"", STAND_IN}]


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


class TreeLacks(ConfigurationError):
    """Raised when the package in a tree lacks a module that the investigator imports."""


def check_tree(tree: Path) -> Path:
    """Return the absolute path of `tree`; raises `ConfigurationError` if it has no package."""
    tree = tree.resolve()
    if not (tree / "netra_ws" / "__init__.py").is_file():
        raise ConfigurationError(f"{tree} holds no package netra_ws")
    return tree


def check_whole(tree: Path) -> None:
    """Raise `TreeLacks` if `tree` has not every module that is imported from it."""
    if missing := lacking(tree):
        raise TreeLacks(words(tree, ", ".join(missing)))


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


def code_environment(
    revision: Revision | None, tree: Path | None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment in which a revision runs, or a tree, or what runs here.

    A revision is checked out into a scratch folder, named by `SCRATCH` in the environment: the
    backend deletes it when it ends. Raises `ConfigurationError` if there is no package in `tree`,
    or one that is no Python, or that does not run by itself.
    """
    if tree is not None:
        tree = check_tree(tree)
        check_syntax(tree)
        if not (tree / "netra_ws" / "__main__.py").is_file():
            raise ConfigurationError(f"the netra_ws in {tree} cannot be run: it has no __main__.py")
        return tree_environment(tree, commit_of(tree), str(tree), environ)
    if revision is None:
        return dict(environ)
    scratch = Path(tempfile.mkdtemp(prefix="netra-ws-")).resolve()
    try:
        commit = checkout(revision, scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return tree_environment(scratch, commit, revision.name, environ) | {SCRATCH: str(scratch)}
