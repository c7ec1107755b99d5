"""What no type checker sees: coroutines that go nowhere by another way, and a mock that hides it.

A type checker complains of a coroutine that is a statement of its own. In a text, a list, behind
`and`, under a name that nobody reads or where a callback is expected it is a value like any other
to all of them (measured: pyrefly 1.4, pyright 1.1.414, mypy 2.4, ty 0.0.105).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

from await_audit.checks.coroutines import Coroutines
from await_audit.checks.dropped import dropped
from await_audit.checks.mocks import MOCK, mocks
from await_audit.checks.running import nested_runs
from await_audit.files import Files
from await_audit.finding import Finding, Unjudged
from await_audit.resolver.functions import Unparsable
from await_audit.resolver.modules import Tree

HERE = ".".join(map(str, sys.version_info[:2]))

ASYNC = re.compile(rb"\basync\s+def\s+(\w+)")


def own_findings(files: Files, root: Path) -> Iterator[Finding | Unjudged]:
    """Yield what the checks find in the files of an audit, and which of them they cannot parse.

    `root` is where imports start.
    """
    names: set[str] = set()
    mocking: set[Path] = set()
    for path in files.paths:
        data = path.read_bytes()
        names.update(name.decode() for name in ASYNC.findall(data))
        if MOCK.encode() in data:
            mocking.add(path)
    relative = {path: PurePath(os.path.relpath(path, root)).as_posix() for path in files.paths}
    absolute = {text: path for path, text in relative.items()}

    def read(path: str) -> bytes:
        try:
            return absolute[path].read_bytes()
        except (KeyError, OSError) as error:
            raise Unparsable("cannot be read") from error

    coroutines = Coroutines(Tree(absolute, read), frozenset(names))
    for path in files.paths if names else mocking:
        try:
            source = coroutines.source(path, relative[path])
        except Unparsable as error:
            why = f"Python {HERE}, which runs netra-ws, cannot parse it ({error})"
            yield Unjudged(path, error.line, f"{why}; run netra-ws with the project's Python")
            continue
        yield from dropped(source, coroutines)
        yield from nested_runs(source, coroutines)
        if path in mocking:
            yield from mocks(source, coroutines)
