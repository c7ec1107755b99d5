"""Run the audit on large projects, as they are and with awaits injected, and time it."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from benchmarks.prevention.injection import choose, inject, sites
from benchmarks.prevention.projects import PROJECTS, Project, environment, fetch
from netra_ws.prevention.audit import audit
from netra_ws.prevention.finding import Kind
from netra_ws.prevention.fix import propose

CACHE = Path("build/prevention")
RESULTS = Path("benchmarks/prevention/results.json")
INJECTED = 150
SEED = 1
LIMIT_S = 600.0


@dataclass
class Measured:
    """What was measured of one project; times in seconds, a value for each round."""

    project: str
    files: int
    lines: int
    findings: list[str]
    edits: int
    injected: int
    found: int
    elsewhere: int
    mended: int
    wrong_edits: int
    audit_s: list[float]
    pyrefly_s: list[float]
    pyright_s: list[float]
    audit_mib: float


def measure(project: Project, rounds: int) -> Measured:
    """Measure one project."""
    python = environment(CACHE.absolute())
    release = fetch(project, CACHE.absolute())
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shutil.copytree(release / project.package, root / project.package)
        paths = sorted((root / project.package).rglob("*.py"))
        before = {path: path.read_bytes() for path in paths}
        clean = audit([root / project.package], python=python, root=root)
        edits = sum(fix.changed for fix in propose(clean))
        chosen = choose(sites(paths), INJECTED, SEED)
        inject(chosen)
        wrong = {path: path.read_bytes() for path in paths}
        report = audit([root / project.package], python=python, root=root)
        at = {(one.path, one.span.line) for one in report.findings if one.kind is Kind.AWAIT_SYNC}
        lines = {(site.path, site.line) for site in chosen}
        old = {(one.path, one.span.line) for one in clean.findings}
        mended = wrong_edits = 0
        for fix in propose(report):
            mended += fix.removed
            wrong_edits += not _only_injected(before[fix.path], wrong[fix.path], fix.after)
        for path, data in before.items():
            path.write_bytes(data)
        times = [_times(root, project.package, python) for _ in range(rounds)]
        return Measured(
            f"{project.name} {project.version}",
            len(paths),
            sum(data.count(b"\n") for data in before.values()),
            [
                f"{one.path.relative_to(root).as_posix()}:{one.span.line}: {one.message}"
                for one in clean.findings
            ],
            edits,
            len(lines),
            len(lines & at),
            len(at - lines - old),
            mended,
            wrong_edits,
            [one[0] for one in times],
            [one[1] for one in times],
            [one[2] for one in times],
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        )


def _only_injected(before: bytes, wrong: bytes, after: bytes) -> bool:
    """Say whether each line is as it was before or as it was injected."""
    triples = zip(before.splitlines(), wrong.splitlines(), after.splitlines(), strict=True)
    return all(now in {was, then} for was, then, now in triples)


def _times(root: Path, package: str, python: Path) -> tuple[float, float, float]:
    """Return the seconds of the audit, of its engine alone and of pyright, one after the other."""
    own = [sys.executable, "-P", "-m"]
    return (
        _timed([*own, "netra_ws", "audit", f"--python={python}", package], root),
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


def _timed(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=LIMIT_S,
        check=False,  # an exit code of 1 says that something was found
    )
    return time.perf_counter() - began


def show(measured: list[Measured]) -> Table:
    """Return the table."""
    table = Table("project", "lines", "findings", "edits", "injected", "found", "mended", "wrong")
    for heading in ("audit s", "÷ engine", "÷ pyright"):
        table.add_column(heading)
    for one in measured:
        engine = median(a / b for a, b in zip(one.audit_s, one.pyrefly_s, strict=True))
        pyright = median(a / b for a, b in zip(one.audit_s, one.pyright_s, strict=True))
        table.add_row(
            one.project,
            f"{one.lines:,}",
            str(len(one.findings)),
            str(one.edits),
            str(one.injected),
            str(one.found),
            str(one.mended),
            str(one.wrong_edits),
            f"{median(one.audit_s):.1f}",
            f"{engine:.2f}",
            f"{pyright:.2f}",
        )
    return table


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--project", "names", multiple=True, help="Only this one; may be given again.")
def main(rounds: int, names: tuple[str, ...]) -> None:
    """Measure the audit on large projects; fetches them from the package index.

    \b
    Example:
      python -m benchmarks.prevention --rounds 1 --project tornado
    """
    chosen = [one for one in PROJECTS if not names or one.name in names]
    measured = []
    for project in chosen:
        click.echo(f"{project.name} {project.version}", err=True)
        measured.append(measure(project, rounds))
    versions = {name: version(name) for name in ("pyrefly", "pyright", "libcst")}
    if len(chosen) == len(PROJECTS):
        document = {
            "versions": versions,
            "seed": SEED,
            "projects": [asdict(one) for one in measured],
        }
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    Console(width=130).print(show(measured))
    for one in measured:
        for finding in one.findings:
            click.echo(finding)


if __name__ == "__main__":
    main()
