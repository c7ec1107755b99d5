"""The cases of the audit: small modules whose marked lines really misbehave.

A case is a module in ``tests/audit/.cases``, a hidden folder, so that an audit of the tests
passes it over; its entries are the functions `main` and `main_…`. A line that misbehaves is marked
``# expect: await-sync`` or ``# expect: unawaited``; of the first kind it also says ``# fix:
mechanical`` or ``# fix: report-only``. A number behind the kind says how often; only the first of
them can be seen to run. What has no mark is right.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import importlib
import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

CASES = Path(__file__).parents[1] / "audit" / ".cases"
MARK = re.compile(r"# expect: (?P<kind>[\w-]+)(?: (?P<times>\d+))?(?:\s+# fix: (?P<fix>[\w-]+))?")
ORIGIN = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, order=True)
class Mark:
    """A marked statement: its file, its first and last line, and what is expected of it."""

    path: Path
    line: int
    end_line: int
    kind: str
    times: int
    fix: str | None


def case_files() -> list[Path]:
    """Return all modules, those that others import included."""
    return sorted(CASES.rglob("*.py"))


def read(path: Path) -> ast.Module:
    """Return the syntax tree of a case, whatever its encoding."""
    return ast.parse(path.read_bytes())


def text(path: Path) -> str:
    """Return the text of a case, with its line ends as they are."""
    raw = path.read_bytes()
    encoding = "latin-1" if b"coding: latin-1" in raw[:100] else "utf-8-sig"
    return raw.decode(encoding)


def statement(tree: ast.Module, line: int) -> tuple[int, int]:
    """Return the first and the last line of the innermost statement at a line."""
    found = (line, line)
    smallest = sys.maxsize
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            start, end = node.lineno, node.end_lineno or node.lineno
            if start <= line <= end and end - start < smallest:
                smallest, found = end - start, (start, end)
    return found


def marks(path: Path) -> list[Mark]:
    """Return the marks of a case."""
    tree = read(path)
    return [
        Mark(path, *statement(tree, number), found["kind"], int(found["times"] or 1), found["fix"])
        for number, line in enumerate(re.split("\r\n|\r|\n", text(path)), 1)
        for found in [MARK.search(line)]
        if found
    ]


def entries(module: ModuleType) -> Iterator[FunctionType]:
    """Return the entries of a case, in their order."""
    for name, function in list(vars(module).items()):  # running one adds to them
        if re.fullmatch(r"main(_\w+)?", name) and inspect.isfunction(function):
            yield function


@contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    """Import a case, and forget it and what it has imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(CASES))
    try:
        relative = path.relative_to(CASES).with_suffix("")
        yield importlib.import_module(".".join(relative.parts))
    finally:
        sys.path.remove(str(CASES))
        for name in set(sys.modules) - before:
            del sys.modules[name]


def misbehaves(path: Path) -> set[tuple[str, Path, int]]:
    """Run the entries of a case; return kind, file and first line of each statement that does not
    do what its author meant: it raises because of a superfluous await, or drops a coroutine.
    """
    found: set[tuple[str, Path, int]] = set()
    with imported(path) as module:
        for entry in entries(module):
            raised: set[tuple[str, Path, int]] = set()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                sys.set_coroutine_origin_tracking_depth(8)
                try:
                    result = entry()
                    if inspect.iscoroutine(result):
                        asyncio.run(asyncio.wait_for(result, 10))
                except (TypeError, ValueError, AttributeError, ExceptionGroup) as error:
                    raised.add(("await-sync", *_place(error)))
                    traceback.clear_frames(error.__traceback__)
                finally:
                    result = None
                    gc.collect()
                    for warning in caught:
                        warning.source = None  # it may hold others, which are dropped as well
                    sys.set_coroutine_origin_tracking_depth(0)
            # What raises drops as well what it would have awaited.
            found |= raised or {("unawaited", *place) for place in _dropped(caught, path, entry)}
    return found


def _place(error: BaseException) -> tuple[Path, int]:
    """Return the file and the statement of the last line of a case that an error went through."""
    if isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    frames = [Path(one.filename) for one in traceback.extract_tb(error.__traceback__)]
    lines = [one.lineno or 0 for one in traceback.extract_tb(error.__traceback__)]
    own = [(path, line) for path, line in zip(frames, lines, strict=True) if _is_case(path)]
    if not own:
        raise error
    path, line = own[-1]
    return path, statement(read(path), line)[0]


def _is_case(path: Path) -> bool:
    return path.is_relative_to(CASES)


def _dropped(
    caught: list[warnings.WarningMessage], case: Path, entry: FunctionType
) -> Iterator[tuple[Path, int]]:
    """Return where each coroutine was made that nobody awaited.

    If it was the event loop that made it, nothing tells for whom: then what `entry` has marked.
    """
    lines, first = inspect.getsourcelines(entry)
    for warning in caught:
        if warning.category is RuntimeWarning:
            places = ORIGIN.findall(str(warning.message))
            own = [(Path(file), int(line)) for file, line in places if _is_case(Path(file))]
            if own:
                path, line = own[-1]
                yield path, statement(read(path), line)[0]
            else:
                inside = range(first, first + len(lines))
                yield from ((mark.path, mark.line) for mark in marks(case) if mark.line in inside)
