"""`netra-ws verify`: what it refuses, and runs that do not end as they should.

What it says of the revisions: page 05, and tests/acceptance/test_verify.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import RunNetraWs

from netra_incident.case import told_case
from netra_incident.history.checkout import checkout
from netra_incident.proof import suite
from netra_incident.proof.suite import run_suite

ROOT = Path(__file__).parents[2]
Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(in_process: RunNetraWs) -> Verify:
    """`netra-ws verify` in this process: exit code, standard output, standard error."""

    def run(*arguments: str | Path, cwd: Path = ROOT) -> tuple[int, str, str]:
        done = in_process("verify", *arguments, cwd=cwd)
        return done.returncode, done.stdout, done.stderr

    return run


# A person's own attempt


def test_a_tree_that_cannot_be_imported_is_no_fix(tmp_path: Path, verify: Verify) -> None:
    tree = tmp_path / "attempt"
    checkout(told_case().fixed, tree)
    (tree / "netra_ws" / "manager.py").write_text("def broken(:\n")
    code, out, said = verify("--tree", tree)
    assert code == 1
    assert "is not a fix: no test could run" in out
    assert "SyntaxError" in out
    assert "Traceback" not in out + said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tree", "nowhere"), "nowhere holds no package netra_ws"),
        (("--tree", ".", "--partial-fixes"), "exclude each other"),
        (("--junitxml", "runbook.md/report.xml", "--tree", "."), "runbook.md"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], words: str, verify: Verify
) -> None:
    code, out, said = verify(*arguments)
    assert (code, out) == (2, "")
    assert words in said
    assert len(said.splitlines()) == 1


def test_elsewhere_than_in_a_checkout_is_one_line(tmp_path: Path, verify: Verify) -> None:
    code, out, said = verify(cwd=tmp_path)
    assert (code, out) == (2, "")
    assert "run this in a checkout of the project" in said


# A run that does not end

OPTIONS = """
def pytest_addoption(parser):
    parser.addoption("--staging", action="store_true")
    parser.addoption("--tree")
"""
ENDLESS = """
def test_endless():
    while True:
        pass
"""


def test_a_run_that_hangs_is_ended_and_said(
    tmp_path: Path, trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    monkeypatch.setattr(suite, "TIMEOUT_S", 1.0)
    run = run_suite(["test_endless.py"], trees["fixed"], tmp_path, "-p", "no:nbval")
    assert (run.tests, run.said) == ((), "ended after 1 s")


@pytest.mark.parametrize(
    ("end", "said"),
    [("os.kill(os.getpid(), 9)", "ended by signal 9"), ("os._exit(0)", "test_it.py::test_it")],
)
def test_a_run_that_ends_early_is_said(
    end: str, said: str, tmp_path: Path, trees: dict[str, Path]
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_it.py").write_text(f"import os\ndef test_it():\n    {end}\n")
    run = run_suite(["test_it.py"], trees["fixed"], tmp_path)
    assert run.tests == ()
    assert said in run.said


def test_nothing_of_the_callers_environment_reaches_the_tests(
    tmp_path: Path, trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_environment.py").write_text(
        "import os, netra_ws\n"
        "def test_environment():\n"
        "    assert not [name for name in os.environ if name.startswith('STAGING_')]\n"
        f"    assert netra_ws.__file__.startswith({str(trees['buggy'].resolve())!r})\n"
    )
    monkeypatch.setenv("STAGING_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTHONPATH", ":" + ":".join(filter(None, sys.path)))
    run = run_suite(["test_environment.py"], trees["buggy"], tmp_path)
    assert [test.outcome for test in run.tests] == ["passed"], run
