"""What the audit finds and mends: in the cases of the tests, and in releases of others."""

from __future__ import annotations

from importlib.metadata import version

from recall import judge

from benchmarks.audit.table import markdown, read
from netra_incident.table import Table


def recall() -> str:
    """Return how much of what the cases show is found and mended."""
    judged = judge()
    about = f"The tests hold {judged.cases} small modules."
    tools = ", ".join(f"{name} {version(name)}" for name in ("pyrefly", "libcst"))
    table = Table(("", "found or mended", "wrongly"), judged.rows()).markdown()
    return f"{about} With {tools}:\n\n{table}"


def releases() -> str:
    """Return what was measured on releases of others."""
    return markdown(read())
