"""Run the audit on large projects, as they are and with awaits injected, and time it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from await_audit.audit import audit
from await_audit.editing.fix import propose
from await_audit.finding import Finding, Kind
from benchmarks.audit.injection import choose, inject, sites
from benchmarks.audit.projects import PROJECTS, Project, environment, fetch
from benchmarks.audit.table import Measured, Results, keep, markdown

CACHE = Path("build/audit")
INJECTED = 150
SEED = 1
LIMIT_S = 600.0


def measure(project: Project, rounds: int) -> Measured:
    """Measure one project."""
    python = environment(CACHE.absolute())
    release = fetch(project, CACHE.absolute())
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shutil.copytree(release / project.package, root / project.package)
        paths = sorted((root / project.package).rglob("*.py"))
        before = _contents(paths)
        clean = audit([root / project.package], python=python, root=root)
        own = {fix.path: fix.after for fix in propose(clean) if fix.changed}
        chosen = choose(sites(paths), INJECTED, SEED)
        inject(chosen)
        wrong = _contents(paths)
        report = audit([root / project.package], python=python, root=root)
        at = _lines(one for one in report.findings if one.kind is Kind.AWAIT_SYNC)
        lines = {(site.path, site.line) for site in chosen}
        old = _lines(clean.findings)
        mended = wrong_edits = 0
        for fix in propose(report):
            was = before[fix.path]
            mended += _mended(was, wrong[fix.path], fix.after)
            wrong_edits += not _right((was, wrong[fix.path], own.get(fix.path, was)), fix.after)
        for path, data in before.items():
            path.write_bytes(data)
        times = [_times(root, project.package, python) for _ in range(rounds)]
        return Measured(
            project.title,
            len(paths),
            sum(data.count(b"\n") for data in before.values()),
            [
                f"{one.path.relative_to(root).as_posix()}:{one.span.line}: {one.message}"
                for one in clean.findings
            ],
            len(own),
            len(lines),
            len(lines & at),
            len(at - lines - old),
            mended,
            wrong_edits,
            [one[0].seconds for one in times],
            [one[1].seconds for one in times],
            [one[2].seconds for one in times],
            [one[0].mib for one in times],
        )


def _contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in paths}


def _lines(findings: Iterable[Finding]) -> set[tuple[Path, int]]:
    return {(one.path, one.span.line) for one in findings}


def _mended(before: bytes, wrong: bytes, after: bytes) -> int:
    """Return how many injected lines are again as they were."""
    triples = zip(before.splitlines(), wrong.splitlines(), after.splitlines(), strict=True)
    return sum(now == was != then for was, then, now in triples)


def _right(texts: tuple[bytes, ...], after: bytes) -> bool:
    """Say whether each line is as it is in one of the texts."""
    lines = zip(*(text.splitlines() for text in texts), strict=True)
    return all(now in set(ok) for ok, now in zip(lines, after.splitlines(), strict=True))


LAUNCHER = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(code, time.perf_counter() - began, kib / 1024)
"""
"""Runs a command from a small process: Linux counts the memory of the one that forks as well."""


class Cost(NamedTuple):
    """What a command took: wall-clock time, and the memory of the largest of its processes."""

    seconds: float
    mib: float


def _times(root: Path, package: str, python: Path) -> tuple[Cost, Cost, Cost]:
    """Return the cost of the audit, of its engine alone and of pyright, one after the other."""
    own = [sys.executable, "-P", "-m"]
    return (
        _timed([*own, "netra_incident", "audit", f"--python={python}", package], root),
        _timed(
            [
                *own,
                "pyrefly",
                "check",
                "--preset=default",
                f"--python-interpreter-path={python}",
                "--search-path=.",
                "--output-format=json",
                package,
            ],
            root,
        ),
        _timed([*own, "pyright", f"--pythonpath={python}", "--outputjson", package], root),
    )


def _timed(command: list[str], folder: Path) -> Cost:
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(
        launched, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    code, seconds, mib = done.stdout.split()
    if code not in {"0", "1", "2"}:  # 1: something was found; 2: something could not be judged
        raise subprocess.CalledProcessError(int(code), command)
    return Cost(float(seconds), float(mib))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--project", "names", multiple=True, help="Only this one; may be given again.")
def main(rounds: int, names: tuple[str, ...]) -> None:
    """Measure the audit on large projects; fetches them from the package index.

    Takes a quarter of an hour. With all projects it renews the results of record, which `make docs`
    shows.

    \b
    Example:
      python -m benchmarks.audit --rounds 1 --project tornado
    """
    chosen = [one for one in PROJECTS if not names or one.name in names]
    measured = []
    for project in chosen:
        click.echo(project.title, err=True)
        measured.append(measure(project, rounds))
    versions = {name: version(name) for name in ("pyrefly", "pyright", "libcst")}
    results = Results(versions, SEED, measured)
    if len(chosen) == len(PROJECTS):
        keep(results)
    click.echo(markdown(results))
    for one in measured:
        for finding in one.findings:
            click.echo(finding)


if __name__ == "__main__":
    main()
