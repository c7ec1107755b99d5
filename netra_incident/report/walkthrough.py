"""The main job: every notebook on real servers, and the post-mortem that comes of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from netra_incident.case import told_case
from netra_incident.report.html import GLOSSARY, write_report
from netra_incident.report.notebooks import (
    build_notebook,
    code_cells,
    find_notebooks,
    read_notebook,
    run_notebook,
)
from netra_incident.report.page import Page, headline
from netra_ws.errors import ConfigurationError

Advance = Callable[[], object]
T = TypeVar("T")

AT_ONCE = 2
"""Notebooks that run at the same time: much of a page is waiting, for a kernel, a server, a git."""


@contextmanager
def _progress(paths: Iterable[Path], console: Console) -> Iterator[Callable[[Path], Advance]]:
    """Show a bar for each notebook; yields what begins a bar and returns how to advance it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {
            path: progress.add_task(
                path.stem, total=len(code_cells(read_notebook(path))), start=False
            )
            for path in paths
        }

        def begin(path: Path) -> Advance:
            progress.start_task(tasks[path])
            return lambda: progress.advance(tasks[path])

        yield begin


def _end_at_interrupt(console: Console) -> None:
    """At Ctrl-C end at once, with exit code 130: kernels end without their parent, and servers
    without their kernel.
    """

    def interrupted(*_: object) -> None:
        console.show_cursor()
        console.print("\ninterrupted", highlight=False)
        os._exit(130)

    signal.signal(signal.SIGINT, interrupted)


def _beside(function: Callable[[Path], T], paths: Iterable[Path]) -> Iterator[T]:
    """Call `function` for each path, `AT_ONCE` at a time, and yield the results in order.

    In threads: in the main thread nbclient would take the handler of Ctrl-C for itself, and then
    drop it. At the first call that raises, those not begun are cancelled.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(function, paths)


def _quiet_kernels() -> None:
    # A kernel warns about frozen modules whenever a debugger might come; none does.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def _check_writable(folder: Path) -> None:
    """Make a folder, before the work whose result it is for; raises `ConfigurationError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error


def walk_through(notebooks: Path, build: Path, console: Console) -> Path:
    """Run all notebooks in `notebooks`, write the report below `build`, return its first page.

    The notebooks themselves are not touched. Raises `NotebookFailed` at the first that fails,
    `ConfigurationError` if the report has no place, and what `write_report` raises.
    """
    _check_writable(build / "post-mortem")
    _quiet_kernels()
    _end_at_interrupt(console)
    started = time.perf_counter()
    case = told_case()
    paths = find_notebooks(notebooks)
    with _progress(paths, console) as begin:
        run = _beside(lambda path: run_notebook(path, begin(path)), paths)
        pages = [Page(path.stem, notebook) for path, notebook in zip(paths, run, strict=True)]
    terms = notebooks / GLOSSARY
    glossary = terms.read_text(encoding="utf-8") if terms.exists() else None
    index = write_report(case, pages, build / "post-mortem", glossary)
    console.print()
    console.print(str(headline(pages).table), highlight=False, markup=False)
    console.print()
    figures = sum(len(page.pictures) for page in pages)
    took = time.perf_counter() - started
    console.print(f"{len(pages)} pages, {figures} figures, {took:.0f} s", highlight=False)
    console.print(f"open {index}", highlight=False, soft_wrap=True)
    return index


def build_notebooks(notebooks: Path, console: Console) -> list[Path]:
    """Run all notebooks and rewrite those that changed; returns these.

    Raises `NotebookFailed` at the first that fails.
    """
    _quiet_kernels()
    _end_at_interrupt(console)
    paths = find_notebooks(notebooks)
    with _progress(paths, console) as begin:
        run = _beside(lambda path: build_notebook(path, begin(path)), paths)
        written = [path for path, changed in zip(paths, run, strict=True) if changed]
    for path in paths:
        state = "rewritten" if path in written else "unchanged"
        console.print(f"{state}  {path}", highlight=False)
    return written
