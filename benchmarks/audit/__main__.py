"""Run the audit on large projects, as they are and with awaits injected, and time it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from await_audit.audit import audit
from await_audit.editing.fix import FileFix, propose
from await_audit.finding import Finding, Kind, Report
from benchmarks.audit.injection import Site, choose, inject, sites
from benchmarks.audit.projects import PROJECTS, Project, environment, fetch
from benchmarks.audit.table import Measured, Results, keep, markdown
from netra_ws.serving.command_line import boundary

CACHE = Path("build/audit")
INJECTED = 150
SEED = 1
LIMIT_S = 600.0


class Copy(NamedTuple):
    """A copy of a project's release that is edited and audited."""

    root: Path
    package: str
    python: Path

    @property
    def texts(self) -> dict[Path, bytes]:
        """What its files hold now."""
        return {path: path.read_bytes() for path in sorted(self.root.rglob("*.py"))}

    def audit(self) -> Report:
        """Audit it as it is."""
        return audit([self.root / self.package], python=self.python, root=self.root)


def measure(project: Project, rounds: int) -> Measured:
    """Measure one project."""
    python = environment(CACHE.absolute())
    folder = fetch(project, CACHE.absolute())
    with TemporaryDirectory() as scratch:
        copy = Copy(Path(scratch).resolve(), project.package, python)
        shutil.copytree(folder / copy.package, copy.root / copy.package)
        before = copy.texts
        clean = copy.audit()
        own = {fix.path: fix.after for fix in propose(clean) if fix.changed}
        chosen = choose(sites(list(before)), INJECTED, SEED)
        inject(chosen)
        wrong = copy.texts
        report = copy.audit()
        found, elsewhere = _compared(chosen, clean, report)
        mended, wrong_edits = _judged(propose(report), before, wrong, own)
        for path, data in before.items():
            path.write_bytes(data)
        costs = [_times(copy.root, copy.package, python) for _ in range(rounds)]
    return Measured(
        project=project.title,
        files=len(before),
        lines=sum(data.count(b"\n") for data in before.values()),
        findings=[_shown(finding, copy.root) for finding in clean.findings],
        edits=len(own),
        injected=len(_lines(chosen)),
        found=found,
        elsewhere=elsewhere,
        mended=mended,
        wrong_edits=wrong_edits,
        audit_s=[own.seconds for own, _, _ in costs],
        pyrefly_s=[pyrefly.seconds for _, pyrefly, _ in costs],
        pyright_s=[pyright.seconds for _, _, pyright in costs],
        audit_mib=[own.mib for own, _, _ in costs],
    )


def _shown(finding: Finding, root: Path) -> str:
    place = finding.path.relative_to(root).as_posix()
    return f"{place}:{finding.span.line}: {finding.message}"


def _lines(chosen: Iterable[Site]) -> set[tuple[Path, int]]:
    return {(site.path, site.line) for site in chosen}


def _compared(chosen: Iterable[Site], clean: Report, report: Report) -> tuple[int, int]:
    """Return how many injected awaits are found, and how many lines without one are new."""
    at = {(one.path, one.span.line) for one in report.findings if one.kind is Kind.AWAIT_SYNC}
    old = {(one.path, one.span.line) for one in clean.findings}
    lines = _lines(chosen)
    return len(lines & at), len(at - lines - old)


def _judged(
    fixes: Iterable[FileFix],
    before: Mapping[Path, bytes],
    wrong: Mapping[Path, bytes],
    own: Mapping[Path, bytes],
) -> tuple[int, int]:
    """Return how many injected lines are mended, and how many files are edited wrongly.

    `own` are the files that the fix edits without an injection too.
    """
    mended = wrong_edits = 0
    for fix in fixes:
        was = before[fix.path]
        mended += _mended(was, wrong[fix.path], fix.after)
        wrong_edits += not _right((was, wrong[fix.path], own.get(fix.path, was)), fix.after)
    return mended, wrong_edits


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
    name = "python -m benchmarks.audit"
    with boundary(name, prefix="benchmarks"):
        sys.exit(main(prog_name=name, standalone_mode=False))
