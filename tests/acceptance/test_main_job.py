"""`make walkthrough` from its start to its end: the command behind it, as its user runs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import leash
import pytest
from limits import HANG_S

from netra_incident.report.notebooks import find_notebooks

ROOT = Path(__file__).parents[2]
HANGS_AFTER_S = 4 * HANG_S


@pytest.mark.timeout(2 * HANGS_AFTER_S)
def test_the_walkthrough_prints_what_it_measured_and_leaves_its_sources_alone(
    tmp_path: Path,
) -> None:
    notebooks = find_notebooks(ROOT / "notebooks")
    before = {path: path.read_bytes() for path in notebooks}
    command = [sys.executable, "-m", "netra_incident", "walkthrough", "--build", str(tmp_path)]
    done = leash.run(command, cwd=ROOT, timeout_s=HANGS_AFTER_S)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in notebooks} == before
    lines = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
    assert ["handshakes accepted", "100 of 100", "100 of 100"] in lines
    assert ["sessions completed", "0 of 100", "100 of 100"] in lines
    assert ["events received", "0", "500"] in lines
    assert ["close codes", "1011 × 100", "1000 × 100"] in lines
    assert ["endpoints", "500 × 3", "200 × 3"] in lines
    report = tmp_path / "post-mortem"
    assert str(report / "index.html") in done.stdout.replace("\n", "")
    for path in notebooks:
        assert (report / f"{path.stem}.html").is_file()
