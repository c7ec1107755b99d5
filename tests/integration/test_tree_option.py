"""`--tree FOLDER` runs FOLDER's `netra_ws`, and nothing else that FOLDER holds.

What pytest makes of such a folder: tests/acceptance/test_tree_of_pytest.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from plain_client import request
from processes import RunNetraWs, Serve, git, netra_ws

from netra_incident.case import told_case
from netra_incident.history.deployment import deploy
from netra_incident.history.tree import STAND_IN, check_syntax, tree_environment
from netra_incident.lacking import needed
from netra_incident.proof.bisection import SKIP, judge
from netra_incident.proof.suite import run_suite
from netra_ws.errors import ConfigurationError
from netra_ws.serving.origin import TREE, check_origin

ROOT = Path(__file__).parents[2]
FILE = "tests/unit/websocket_core/test_issue_1231_async_await_bug_reproduction.py"
SITE = "test_a_site_of_the_route_file_returns"
TEST = f"{FILE}::{SITE}[websocket_config]"
LIMIT_S = 100.0


# netra-ws


def test_verify_judges_the_package_only(crowded: Path) -> None:
    run = run_suite([FILE], crowded, ROOT, "-k", SITE)
    assert [test.outcome for test in run.tests] == ["failed"] * 4, run.said
    for test in run.tests:
        (error,) = test.seen["error"]
        assert "TypeError at netra_ws/routes/websocket_ssot.py:" in error


async def test_serve_takes_the_package_only(crowded: Path, serve: Serve) -> None:
    server = serve("--tree", crowded)
    answer = await request(f"{server.backend}/ws/health")
    assert answer.status == 500
    (error,) = [line["error"] for line in server.log() if line["event"] == "route failed"]
    assert error["where"].startswith("netra_ws/routes/websocket_ssot.py:")


@pytest.mark.parametrize("command", ["verify", "serve"])
def test_an_empty_name_is_refused(command: str, run_netra_ws: RunNetraWs, tmp_path: Path) -> None:
    done = run_netra_ws(command, "--tree", "", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected a folder, got an empty name" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# The package


def test_a_package_that_is_a_link_is_that_of_its_tree(
    trees: dict[str, Path], crowded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netra_ws.__file__", str(crowded / "netra_ws" / "__init__.py"))
    check_origin({TREE: str(crowded)})
    with pytest.raises(ConfigurationError, match="netra_ws came from"):
        check_origin({TREE: str(trees["fixed"])})


def test_a_lock_of_an_editor_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "netra_ws").mkdir()
    (tmp_path / "netra_ws" / ".#manager.py").symlink_to("somebody@somewhere.1234")
    check_syntax(tmp_path)


def test_without_a_tree_the_stand_in_says_so() -> None:
    env = {name: value for name, value in os.environ.items() if name != TREE}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import netra_ws"],
        env=env | {"PYTHONPATH": STAND_IN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1
    assert "ImportError: NETRA_WS_TREE is not set" in done.stderr


# A package that is not whole


@pytest.fixture
def tree(history: Path, tmp_path: Path) -> Path:
    """A copy of the package in a folder of its own."""
    folder = tmp_path / "tree"
    shutil.copytree(history / "netra_ws", folder / "netra_ws")
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("wire/urls.py", None, None),
        ("serving/process.py", "class Announcement", "class Notice"),
        ("errors.py", "class ConfigurationError", "class SettingsError"),
    ],
)
def test_a_tree_that_lacks_what_is_imported_from_it_is_one_line(
    name: str, old: str | None, new: str | None, tree: Path
) -> None:
    path = tree / "netra_ws" / name
    if old is None:
        path.unlink()
    else:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, str(new)))
    done = netra_ws("verify", "--tree", tree, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"the netra_ws in {tree} lacks what its investigation imports: " in line
    assert judge(told_case(), tree, ROOT) == SKIP


def test_a_package_that_does_not_run_is_not_served(tree: Path) -> None:
    (tree / "netra_ws" / "__main__.py").unlink()
    done = netra_ws("serve", "--tree", tree, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"the netra_ws in {tree} cannot be run: it has no __main__.py" in done.stderr


def test_what_is_needed_of_a_tree_is_what_the_fixed_one_has(history: Path) -> None:
    assert {"netra_ws.serving.process", "netra_ws.routes", "netra_ws.client"} <= needed()
    for name in needed():
        place = history.joinpath(*name.split("."))
        assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("wire/urls.py", None, "ModuleNotFoundError: No module named 'netra_ws.wire.urls'"),
        ("manager.py", "raise OSError('no disk')", "OSError: no disk"),
    ],
)
def test_a_package_that_cannot_be_imported_is_not_served(
    name: str, text: str | None, why: str, tree: Path, tmp_path: Path
) -> None:
    path = tree / "netra_ws" / name
    path.unlink() if text is None else path.write_text(text)
    done = netra_ws("serve", "--tree", tree, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"netra-ws: the netra_ws in {tree} cannot be imported: {why}\n"


def test_a_server_that_is_killed_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with deploy(told_case().buggy, users=0) as deployment:
        assert list(tmp_path.iterdir())
        os.kill(deployment.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_within_a_tree_every_revision_is_made_of_the_package_beside(
    trees: dict[str, Path], history: Path, tmp_path: Path
) -> None:
    env = tree_environment(trees["buggy"], "unknown", "buggy")
    done = netra_ws("checkout", "fixed", "--into", "here", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    for revision in ("before", "buggy", "fixed"):
        ids = [git("rev-parse", revision, cwd=one) for one in (tmp_path / "here", history)]
        assert ids[0] == ids[1]
