"""Which Python an audit takes, and what it says where there is none."""

import os
import sys
import venv
from pathlib import Path

import pytest

from await_audit.errors import AuditError
from await_audit.interpreter import find_interpreter

VERSION = ".".join(map(str, sys.version_info[:3]))


def make_environment(folder: Path) -> Path:
    """Make a virtual environment without pip, and return its Python."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def test_the_option_comes_first(tmp_path):
    python = make_environment(tmp_path / ".venv")
    make_environment(tmp_path / "active")
    found = find_interpreter(tmp_path, python, {"VIRTUAL_ENV": str(tmp_path / "active")})
    assert (found.path, found.source, found.version) == (python, "--python", VERSION)


@pytest.mark.parametrize("given", ["folder", "name"])
def test_the_option_may_be_an_environment_or_a_name_on_the_path(tmp_path, given, monkeypatch):
    python = make_environment(tmp_path / "active")
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    option = tmp_path / "active" if given == "folder" else Path("python")
    assert find_interpreter(tmp_path, option, {}).path == python


def test_the_active_environment_comes_before_the_nearest_one(tmp_path):
    make_environment(tmp_path / ".venv")
    active = make_environment(tmp_path / "active")
    found = find_interpreter(tmp_path, None, {"VIRTUAL_ENV": str(tmp_path / "active")})
    assert (found.path, found.source) == (active, "VIRTUAL_ENV")


def test_the_nearest_environment_above_the_path_is_taken(tmp_path):
    make_environment(tmp_path / ".venv")
    nearest = make_environment(tmp_path / "project" / ".venv")
    module = tmp_path / "project" / "src" / "app.py"
    module.parent.mkdir()
    module.touch()
    found = find_interpreter(module, None, {})
    assert (found.path, found.source) == (nearest, ".venv of project")


def test_without_any_it_is_the_running_one(tmp_path):
    found = find_interpreter(tmp_path, None, {})
    assert (found.path, found.source) == (Path(sys.executable), "the Python that runs netra-ws")


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def not_there(folder: Path) -> Path:
    return folder / "bin" / "python"


def not_executable(folder: Path) -> Path:
    path = folder / "python"
    path.write_text("no program")
    return path


def failing(folder: Path) -> Path:
    return script(folder / "python", "echo no such library >&2", "exit 3")


def not_python(folder: Path) -> Path:
    return script(folder / "python", "echo hello")


def garbled(folder: Path) -> Path:
    return script(folder / "python", r"printf '\377\n'", r"printf '\377\n' >&2")


def too_old(folder: Path) -> Path:
    return script(folder / "python", "echo 2.7.18")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_there, "there is none"),
        (not_executable, "it did not start"),
        (failing, r"what is there failed \(no such library\)"),
        (not_python, r"what is there failed \(exit code 0\)"),
        (garbled, r"what is there failed \(\ufffd\)"),
        (too_old, "of at least 3.8, it is 2.7.18"),
    ],
)
def test_one_that_does_not_work_is_an_error_and_no_other_is_taken(tmp_path, make, words):
    with pytest.raises(AuditError, match=words) as caught:
        find_interpreter(tmp_path, make(tmp_path), {})
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("give the project's own with --python")
    assert caught.value.exit_code == 2
