"""The results of record, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from netra_incident.table import Table

RESULTS = Path(__file__).with_name("results.json")
HEADS = (
    *("release", "lines", "findings, edits", "injected awaits found", "mended", "wrongly"),
    *("audit, s", "÷ pyrefly", "÷ pyright"),
)


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
    audit_mib: list[float]

    def ratio(self, other: Sequence[float]) -> tuple[float, float, float]:
        """Return the time of the audit as a share of another's: median, least and most."""
        shares = [own / theirs for own, theirs in zip(self.audit_s, other, strict=True)]
        return median(shares), min(shares), max(shares)


@dataclass
class Results:
    """All projects of a run, and the versions of the tools that took part."""

    versions: dict[str, str]
    seed: int
    projects: list[Measured]


def read() -> Results:
    """Return the results of record."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    projects = [Measured(**one) for one in found["projects"]]
    return Results(found["versions"], found["seed"], projects)


def _times(shares: tuple[float, float, float]) -> str:
    middle, least, most = shares
    return f"{middle:.2f} ({least:.2f}-{most:.2f})"


def markdown(results: Results) -> str:
    """Return the table, with what it was measured with below it."""
    rows = []
    for one in results.projects:
        seconds = median(one.audit_s), min(one.audit_s), max(one.audit_s)
        rows.append(
            (
                one.project,
                f"{one.lines:,}",
                f"{len(one.findings)}, {one.edits}",
                f"{one.found} of {one.injected}",
                str(one.mended),
                str(one.elsewhere + one.wrong_edits),
                f"{seconds[0]:.1f} ({seconds[1]:.1f}-{seconds[2]:.1f})",
                _times(one.ratio(one.pyrefly_s)),
                _times(one.ratio(one.pyright_s)),
            )
        )
    rounds = len(results.projects[0].audit_s)
    mib = max(max(one.audit_mib) for one in results.projects)
    tools = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    about = f"Median and spread of {rounds} rounds; largest process {mib:.0f} MiB; {tools}."
    return f"{Table(HEADS, rows).markdown()}\n\n{about}"


def keep(results: Results) -> None:
    """Make these the results of record."""
    RESULTS.write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
