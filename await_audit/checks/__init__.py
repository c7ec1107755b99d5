"""What no type checker sees: coroutines that go nowhere by another way, and a mock that hides it.

A type checker complains of a coroutine that is a statement of its own. In a text, a list, behind
`and`, under a name that nobody reads or where a callback is expected it is a value like any other
to all of them (measured: pyrefly 1.4, pyright 1.1.414, mypy 2.4, ty 0.0.105).
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from await_audit.checks.coroutines import Coroutines
from await_audit.checks.dropped import dropped
from await_audit.checks.imported import imported
from await_audit.checks.mocks import MOCK, mocks
from await_audit.checks.running import nested_runs
from await_audit.engines import Settings
from await_audit.files import Files
from await_audit.finding import Finding, Unjudged
from await_audit.resolver.functions import Unparsable
from await_audit.resolver.modules import Tree

HERE = ".".join(map(str, sys.version_info[:2]))

ASYNC = re.compile(r"\basync[\s\\]+def[\s\\]+(\w+)")


def own_findings(files: Files, settings: Settings, root: Path) -> Iterator[Finding | Unjudged]:
    """Yield what the checks find in the files of an audit, and which files they cannot parse.

    `root` is where imports start. Files that were not given are read where those given import them.
    """
    others = imported(files, settings.search_path)
    names: set[str] = set()
    mocking: set[Path] = set()
    for path in files.paths:
        text = files.recoded.get(path) or path.read_text("utf-8", errors="replace")
        names |= _coroutine_functions(text)
        if MOCK in text:
            mocking.add(path)
    for data in others.values():
        names |= _coroutine_functions(data.decode(errors="replace"))
    base = _above_all([*files.paths, *others], root)
    relative = {path: path.relative_to(base).as_posix() for path in (*files.paths, *others)}
    absolute = {text: path for path, text in relative.items()}

    def read(path: str) -> bytes:
        try:
            return absolute[path].read_bytes()
        except (KeyError, OSError) as error:
            raise Unparsable("cannot be read") from error

    tree = Tree(absolute, read)
    coroutines = Coroutines(tree, base, frozenset(names))
    for path in files.paths if names else mocking:
        try:
            source = coroutines.source(path, relative[path])
        except Unparsable as error:
            yield _unparsed(path, error)
            continue
        yield from dropped(source, coroutines)
        yield from nested_runs(source, coroutines)
        if path in mocking:
            yield from mocks(source, coroutines)
    for name, why in tree.unread.items():
        if absolute[name] in others:
            yield _unparsed(absolute[name], why)


def _above_all(paths: Iterable[Path], root: Path) -> Path:
    """Return the folder that is above the root, all files and all packages."""
    inits = "__init__.py"
    folders = {path.parent.parent if path.name == inits else path.parent for path in paths}
    return Path(os.path.commonpath([root, *folders]))


def _coroutine_functions(text: str) -> set[str]:
    """Return the names of the coroutine functions in a text, as a syntax tree has them."""
    return {unicodedata.normalize("NFKC", name) for name in ASYNC.findall(text)}


def _unparsed(path: Path, error: Unparsable) -> Unjudged:
    why = f"Python {HERE}, which runs netra-ws, cannot parse it ({error})"
    return Unjudged(path, error.line, f"{why}; run netra-ws with the project's Python")
