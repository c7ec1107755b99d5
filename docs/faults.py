"""What the last whole `make soak` measured."""

from __future__ import annotations

import json
from pathlib import Path

from netra_incident.table import Table

RESULTS = Path(__file__).with_name("faults.json")
HEADS = ("fault", "promise", "measured")


def faults() -> str:
    """Return the table of faults."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    about = (
        f"Python {kept['python']}, {kept['cpus']} cores, loopback; median (least-most, n) where "
        "there were several measurements."
    )
    table = Table(HEADS, [[row[head] for head in HEADS] for row in kept["faults"]]).markdown()
    return f"{about}\n\n{table}"
