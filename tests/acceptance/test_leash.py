"""The processes that a test starts end with it, however it ends, and so do their own."""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

import leash
import pytest
from limits import HANG_S
from processes import clean_environment, python_path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
HELD = "HELD_BY_ALL"

EVERYBODY_HOLDS = f"""
import functools
import os
import subprocess

if "{HELD}" in os.environ:

    class Popen(subprocess.Popen):
        __init__ = functools.partialmethod(
            subprocess.Popen.__init__, pass_fds=[int(os.environ["{HELD}"])]
        )

    subprocess.Popen = Popen
"""
"""As sitecustomize.py, run by every Python that has its folder on PYTHONPATH: all processes inherit
the end of one pipe, whose other end is told when the last of them has ended."""

HANGS = """
import threading
from pathlib import Path

Path("{name}").touch()
threading.Event().wait()
"""

KILLED = """
import threading
from pathlib import Path

import leash
from forking import Forking
from netra_incident.history.deployment import deploy
from netra_incident.proof.suite import run_suite
from processes import Server, clean_environment

FOLDER, PROJECT = Path({folder!r}), Path({project!r})


def shell():
    leash.run(["sh", "-c", "sleep 3600 & touch shell; wait"], cwd=FOLDER)


def fork():
    with Forking("json", folder=FOLDER, env=clean_environment()) as forking:
        forking.run("hanging", cwd=FOLDER)


def suite():
    run_suite(["test_hanging.py"], PROJECT, FOLDER)


def test_until_it_is_killed():
    for start in (shell, fork, suite):
        threading.Thread(target=start, daemon=True).start()
    with (
        Server("--demo-users", "0", cwd=FOLDER, log=FOLDER / "log"),
        deploy(users=0),
    ):
        (FOLDER / "servers").touch()
        threading.Event().wait()
"""
OPTIONS = """
def pytest_addoption(parser):
    parser.addoption("--staging", action="store_true")
    parser.addoption("--tree")
"""
QUICK = (
    *("-p", "no:cacheprovider", "-p", "no:nbval", "-p", "no:hypothesispytest"),
    *("-p", "no:timeout", "--override-ini=addopts="),
)


@pytest.mark.skipif(sys.platform == "win32", reason="passes a descriptor on")
def test_what_a_test_started_ends_with_a_pytest_that_is_killed(tmp_path: Path) -> None:
    """Of a revision: the pytest that is killed runs the tests in another one."""
    inside, killed = tmp_path / "inside", tmp_path / "killed"
    killed.mkdir()
    inside.mkdir()
    (tmp_path / "sitecustomize.py").write_text(EVERYBODY_HOLDS)
    (tmp_path / "hanging.py").write_text(HANGS.format(name="fork"))
    (inside / "conftest.py").write_text(OPTIONS)
    (inside / "test_hanging.py").write_text("def test_it():\n    import hanging_too\n")
    (tmp_path / "hanging_too.py").write_text(HANGS.format(name="suite"))
    (killed / "test_killed.py").write_text(KILLED.format(folder=str(inside), project=str(ROOT)))
    ours, theirs = os.pipe()
    env = clean_environment() | {HELD: str(theirs), "TMPDIR": str(tmp_path)}
    env |= python_path(tmp_path, TESTS, TESTS / "support")
    arguments = (*QUICK, "-p", "conftest", "--revision", "before", killed)
    with leash.started(
        [sys.executable, "-P", "-m", "pytest", *arguments], cwd=ROOT, env=env, pass_fds=[theirs]
    ) as pytest_process:
        os.close(theirs)
        by = time.monotonic() + HANG_S
        while not all((inside / name).exists() for name in ("shell", "fork", "suite", "servers")):
            assert pytest_process.poll() is None
            assert time.monotonic() < by
            time.sleep(0.02)
        pytest_process.kill()
        gone, _, _ = select.select([ours], [], [], HANG_S)
    os.close(ours)
    assert gone
