"""`pytest --tree FOLDER` runs FOLDER's `netra_ws`, and nothing else that FOLDER holds.

What `netra-ws` makes of such a folder: tests/integration/test_tree_option.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from processes import clean_environment

ROOT = Path(__file__).parents[2]
FILE = "tests/unit/websocket_core/test_issue_1231_async_await_bug_reproduction.py"
SITE = "test_a_site_of_the_route_file_returns"
TEST = f"{FILE}::{SITE}[websocket_config]"
QUICK = (
    *("-q", "--override-ini=addopts="),
    *("-pno:cacheprovider", "-pno:nbval", "-pno:hypothesispytest"),
)
LIMIT_S = 100.0


def run_pytest(
    *arguments: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    ours = {k: v for k, v in clean_environment().items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *QUICK, *map(str, arguments)],
        cwd=cwd,
        env=ours | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copied(trees: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, at `buggy`."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(trees["buggy"] / "netra_ws", folder / "netra_ws")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_a_folder_before_the_paths_is_none_of_them(crowded: Path) -> None:
    code, said = run_pytest("--tree", crowded, TEST)
    assert (code, "1 failed" in said, "the folder brought" in said) == (1, True, False), said


def test_the_folder_of_the_other_form_brings_its_package_only(crowded: Path) -> None:
    code, said = run_pytest(f"--tree={crowded}/", TEST)
    assert (code, "1 failed" in said, "the folder brought" in said) == (1, True, False), said


def test_the_folder_may_be_where_one_stands(crowded: Path) -> None:
    code, said = run_pytest(ROOT / TEST, "--tree", ".", cwd=crowded)
    assert (code, "1 failed" in said, "the folder brought" in said) == (1, True, False), said


def test_workers_have_the_tree_as_well(crowded: Path) -> None:
    """The option comes from the environment here, where paths are quoted as in a shell."""
    code, said = run_pytest(TEST, "-n1", env={"PYTEST_ADDOPTS": f"--tree '{crowded}'"})
    assert (code, "1 failed" in said, "the folder brought" in said) == (1, True, False), said


def test_a_copy_of_the_project_brings_no_tests(copied: Path) -> None:
    """Without another path, the working directory is collected."""
    here = (ROOT / FILE).parent
    code, said = run_pytest("-k", SITE, "--tree", copied, cwd=here)
    assert (code, "4 failed" in said) == (1, True), said


def test_the_project_itself_is_a_tree(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT)
    code, said = run_pytest("--tree", tmp_path / "link", TEST)
    assert (code, "1 passed" in said) == (0, True), said


def test_a_linked_project_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT)
    code, said = run_pytest(f"link/{TEST}", cwd=tmp_path)
    assert (code, "1 passed" in said) == (0, True), said


def test_a_revision_is_no_path_either(tmp_path: Path) -> None:
    (tmp_path / "buggy").mkdir()
    (tmp_path / "buggy" / "conftest.py").write_text("raise SystemExit('the folder brought it')\n")
    code, said = run_pytest("--revision", "buggy", ROOT / TEST, cwd=tmp_path)
    assert (code, "1 failed" in said) == (1, True), said


def test_an_empty_name_is_not_the_working_directory() -> None:
    code, said = run_pytest(TEST, "--tree", "")
    assert code == 4
    assert "--tree: expected a folder, got an empty name" in said


@pytest.mark.parametrize("name", ["wire/urls.py", "serving/process.py"])
def test_a_tree_that_lacks_what_is_imported_from_it_is_one_line(
    name: str, history: Path, tmp_path: Path
) -> None:
    shutil.copytree(history / "netra_ws", tmp_path / "netra_ws")
    (tmp_path / "netra_ws" / name).unlink()
    code, said = run_pytest("--tree", tmp_path, "tests/unit/test_rates.py")
    assert (code, len(said.splitlines())) == (2, 1), said
    assert said.startswith(f"ERROR: the netra_ws in {tmp_path} lacks")
