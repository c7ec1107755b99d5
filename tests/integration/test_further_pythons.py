"""On which further Pythons CI runs the notebooks and the incident's own tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("bash", "grep", "sort")


def put(folder: Path, name: str, *lines: str) -> Path:
    """Put a program on the path: a Python, in as far as it says a version."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text("\n".join([f"#!{shutil.which('bash')}", *lines, ""]))
    program.chmod(0o755)
    return program


@pytest.fixture
def path(tmp_path: Path) -> list[Path]:
    """A search path with nothing on it but what the script needs, and a Python 3.11."""
    folders = [tmp_path / "shims", tmp_path / "pythons", tmp_path / "tools"]
    for folder in folders:
        folder.mkdir()
    for tool in NEEDED:
        (folders[-1] / tool).symlink_to(str(shutil.which(tool)))
    put(folders[0], "python3", "echo python3.11")
    put(folders[0], "python3.11", "echo python3.11")
    return folders


def run(path: list[Path]) -> tuple[list[str], str]:
    done = subprocess.run(
        [str(shutil.which("bash")), ROOT / ".ci" / "pythons"],
        env={"PATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr


def test_without_a_further_python_there_is_none_to_run(path: list[Path]) -> None:
    assert run(path) == ([], "")


def test_each_further_python_is_found_once_and_in_order(path: list[Path]) -> None:
    for name in ("python3.14", "python3.12", "python3.9"):
        put(path[1], name, f"echo {name}")
    put(path[0], "python3.14", "echo python3.14")
    put(path[1], "python3.14-config", "echo python3.14-config")
    assert run(path) == ([f"{path[1]}/python3.12", f"{path[0]}/python3.14"], "")


def test_a_name_that_does_not_run_is_passed_over_for_one_that_does(path: list[Path]) -> None:
    put(path[0], "python3.13", "echo 'command not found' >&2", "exit 127")
    python = put(path[1], "python3.13", "echo python3.13")
    assert run(path) == ([str(python)], "")


@pytest.mark.parametrize("does", ["exit 127", "echo python3.11"])
def test_a_name_that_runs_nothing_or_another_version_is_told(path: list[Path], does: str) -> None:
    put(path[0], "python3.13", does)
    assert run(path) == ([], "python3.13 does not run here\n")


def test_the_version_that_ran_the_suite_is_no_further_one(path: list[Path]) -> None:
    put(path[0], "python3", "echo python3.12")
    put(path[0], "python3.12", "echo python3.12")
    assert run(path) == ([], "")
