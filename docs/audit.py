"""What the audit finds and mends: in the cases of the tests, and in releases of others."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from recall import judge

from benchmarks.prevention.table import markdown, read
from benchmarks.table import markdown_table


def recall() -> str:
    """Return how much of what the cases show is found and mended."""
    judged = judge()
    about = f"The tests hold {judged.cases} small modules."
    tools = ", ".join(f"{name} {version(name)}" for name in ("pyrefly", "libcst"))
    table = markdown_table(("", "found or mended", "wrongly"), judged.rows())
    return f"{about} With {tools}:\n\n{table}"


def review() -> str:
    """Return what the drift check says of the broken revision."""
    own = [sys.executable, "-P", "-m", "netra_incident"]
    with TemporaryDirectory() as folder:
        tree = Path(folder, "review")
        subprocess.run([*own, "checkout", "buggy", "--into", tree], check=True, capture_output=True)
        said = subprocess.run(
            [*own, "audit", "--since", "before", "."],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,  # 1 is what it says of callers left behind
        )
    lines = [
        *("$ netra-ws checkout buggy --into build/review", "$ cd build/review"),
        *("$ netra-ws audit --since before .", *said.stdout.splitlines()),
    ]
    return "\n".join(["```console", *lines, "```"])


def releases() -> str:
    """Return what was measured on releases of others."""
    return markdown(read())
