"""No wrong edit: programs in which something stands against what the type checker says.

A program is a file in ``tests/audit/.traps``, or a folder with a ``main.py``; its docstring says
what is wrong with it. It ends well as it is, and so it must after the fix, with the same output.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.editing.fix import propose

TRAPS = Path(__file__).parents[1] / "audit" / ".traps"
KINDS = sorted(kind.name for kind in TRAPS.iterdir())
LEAST_OF_A_KIND = 4
WAIT_S = 60


def outcome(folder: Path) -> tuple[int, str]:
    """Run a program; return its exit code and its output."""
    command = [sys.executable, "-W", "ignore", "main.py"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    return run.returncode, run.stdout


def copied(kind: str, into: Path) -> list[Path]:
    """Copy the programs of a kind, each as a project of its own; return their folders."""
    folders = []
    for program in sorted((TRAPS / kind).iterdir()):
        folder = into / program.stem
        folder.mkdir()
        if program.is_dir():
            shutil.copytree(program, folder, dirs_exist_ok=True)
        else:
            shutil.copy(program, folder / "main.py")
        (folder / "pyproject.toml").touch()
        folders.append(folder)
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_ends_well_does_so_after_the_fix(kind: str, tmp_path: Path) -> None:
    folders = copied(kind, tmp_path)
    assert len(folders) >= LEAST_OF_A_KIND
    with ThreadPoolExecutor() as pool:
        before = dict(zip(folders, pool.map(outcome, folders), strict=True))
    assert [folder.name for folder in folders if before[folder][0] != 0] == []
    changed = [fix for fix in propose(audit(folders, root=tmp_path)) if fix.changed]
    for fix in changed:
        fix.path.write_bytes(fix.after)
    edited = {folder for fix in changed for folder in folders if fix.path.is_relative_to(folder)}
    assert [one.name for one in edited if outcome(one) != before[one]] == []
