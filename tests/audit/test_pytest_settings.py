"""The pytest settings of docs/audit.md: which of them turn a never-awaited coroutine red."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from limits import HANG_S
from processes import clean_environment

ROOT = Path(__file__).parents[2]

PROJECT = """
import asyncio


async def notify() -> None:
    pass


def test_dropped():
    notify()


def test_swallowed():
    try:
        notify()
    except Exception:
        pass


def test_in_a_running_loop():
    async def main():
        notify()

    asyncio.run(main())


def test_in_a_cycle():
    cell = [notify()]
    cell.append(cell)
"""

AWAITED = """
import asyncio


async def notify() -> None:
    pass


def test_awaited():
    async def main():
        await notify()
        await asyncio.gather(notify(), asyncio.create_task(notify()))

    asyncio.run(main())
"""

AT_ONCE = {"test_dropped", "test_swallowed", "test_in_a_running_loop"}
EVERYTHING = {*AT_ONCE, "test_in_a_cycle"}

ERROR = "error"
NARROW = "error:coroutine .* was never awaited:RuntimeWarning"
UNRAISABLE = "error::pytest.PytestUnraisableExceptionWarning"


def documented(language: str, beginning: str) -> list[str]:
    """Return the blocks of code in the documentation that begin so."""
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    blocks = [block.split("\n", 1) for block in text.split("```")[1::2]]
    return [code for name, code in blocks if name == language and code.startswith(beginning)]


SETTINGS = documented("toml", "[tool.pytest.ini_options]")
(FIXTURE,) = documented("python", "import gc")


def run(
    folder: Path, *arguments: str, test: str = "", project: str = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run pytest as a project of its own that knows nothing of this one."""
    (folder / "test_notify.py").write_text(project)
    command = [sys.executable, "-P", "-m", "pytest", "-rA", "--color=no", *arguments]
    plugins = ["-p", "no:cacheprovider"]
    environment = clean_environment()
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH", "PYTHONWARNINGS", "PYTEST_XDIST_WORKER"):
        environment.pop(name, None)
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [*command, *plugins, *([f"test_notify.py::{test}"] if test else ["test_notify.py"])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )


def red(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the tests that failed, in themselves or while they were taken down."""
    lines = [line.split() for line in done.stdout.splitlines()]
    return {
        words[1].rpartition("::")[2]
        for words in lines
        if len(words) > 1 and words[0] in {"FAILED", "ERROR"} and "::" in words[1]
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([NARROW], set(), id="the warning alone"),
        pytest.param([UNRAISABLE], set(), id="what nobody can raise alone"),
        pytest.param([NARROW, UNRAISABLE], AT_ONCE, id="both"),
        pytest.param([ERROR], AT_ONCE, id="error"),
    ],
)
def test_which_filters_it_takes(filters: list[str], expected: set[str], tmp_path: Path) -> None:
    """A coroutine is destroyed where no exception can rise: it takes the second filter as well."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings =\n  " + "\n  ".join(filters))
    done = run(tmp_path)
    assert red(done) == expected, done.stdout
    assert done.returncode == bool(expected)


def test_the_option_does_what_the_setting_does(tmp_path: Path) -> None:
    done = run(tmp_path, "-W", "error::RuntimeWarning", "-W", UNRAISABLE)
    assert red(done) == AT_ONCE


def test_without_the_plugin_nothing_is_red(tmp_path: Path) -> None:
    """`-p no:unraisableexception` takes the whole net away."""
    done = run(tmp_path, "-W", "error", "-p", "no:unraisableexception")
    assert (red(done), done.returncode) == (set(), 0)


def test_one_in_a_cycle_ends_the_run_without_naming_its_test(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = run(tmp_path, test="test_in_a_cycle")
    assert red(done) == set()
    assert "1 passed" in done.stdout
    assert done.returncode != 0
    assert "'notify'" in done.stderr + done.stdout


def test_an_async_test_of_pytest_asyncio_is_red_as_well(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        SETTINGS[1]
        + 'asyncio_mode = "auto"\nasyncio_default_fixture_loop_scope = "function"\n'
        + 'asyncio_default_test_loop_scope = "function"\n'
    )
    project = PROJECT.replace("def test_dropped", "async def test_dropped")
    done = run(tmp_path, "-p", "pytest_asyncio.plugin", test="test_dropped", project=project)
    assert red(done) == {"test_dropped"}, done.stdout


def test_both_settings_are_documented() -> None:
    assert [ERROR in SETTINGS[0], NARROW in SETTINGS[1], UNRAISABLE in SETTINGS[1]] == [True] * 3
    assert len(SETTINGS) == 2


@pytest.mark.parametrize("settings", SETTINGS, ids=["error", "narrow"])
def test_what_the_documentation_says_names_every_test(settings: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(settings)
    (tmp_path / "conftest.py").write_text(FIXTURE)
    done = run(tmp_path)
    assert red(done) == EVERYTHING, done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("settings", SETTINGS, ids=["error", "narrow"])
def test_the_same_settings_leave_awaited_coroutines_green(settings: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(settings)
    (tmp_path / "conftest.py").write_text(FIXTURE)
    done = run(tmp_path, project=AWAITED)
    assert (red(done), done.returncode) == (set(), 0), done.stdout
