"""The hook, run by pre-commit itself in a repository of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import leash
import pytest
from processes import clean_environment, git

ROOT = Path(__file__).parents[2]
WRONG = "def make() -> int:\n    return 1\n\n\nasync def main() -> int:\n    return await make()\n"
IDENTITY = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps the environment of the hook."""
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    (folder / "app.py").write_text(WRONG)
    (folder / "notes.md").write_text("notes\n")
    git("add", ".", cwd=folder)
    git(*IDENTITY, "commit", "--quiet", "--message", "All of it", cwd=folder)
    return folder


def pre_commit(project: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the hook that the manifest of this repository offers, as it is at HEAD."""
    environment = clean_environment() | {"PRE_COMMIT_HOME": str(home)}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    args = {"args": arguments} if arguments else {}
    hook = {"id": "netra-ws-audit", "verbose": True} | args
    source = {"repo": str(ROOT), "rev": git("rev-parse", "HEAD", cwd=ROOT), "hooks": [hook]}
    config = json.dumps({"repos": [source]})  # which is YAML as well
    (project / ".pre-commit-config.yaml").write_text(config)
    git("add", ".pre-commit-config.yaml", cwd=project)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never"]
    return leash.run(command, cwd=project, env=environment)


def test_a_wrong_await_stops_the_commit_and_a_right_call_does_not(
    project: Path, home: Path
) -> None:
    done = pre_commit(project, home)
    assert done.returncode == 1, done.stderr
    assert "app.py:6:" in done.stdout
    assert "await-sync" in done.stdout
    assert "1 finding in 1 file" in done.stdout
    (project / "app.py").write_text(WRONG.replace("await ", ""))
    git("add", "app.py", cwd=project)
    done = pre_commit(project, home)
    assert (done.returncode, "Passed" in done.stdout) == (0, True), done.stdout


def test_its_environment_has_neither_the_server_nor_jupyter(project: Path, home: Path) -> None:
    assert pre_commit(project, home).returncode == 1
    (packages,) = home.glob("repo*/py_env-*/lib/python*/site-packages")
    installed = {path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert {"netra_ws", "click", "libcst", "pyrefly", "rich"} <= installed
    server = {"aiohttp", "msgspec", "websockets", "structlog", "uvloop", "pyjwt"}
    assert not installed & (server | {"jupyterlab", "ipykernel", "nbclient", "matplotlib"})


def test_it_looks_packages_up_in_the_project_and_not_in_its_own_environment(
    project: Path, home: Path
) -> None:
    venv.create(project / ".venv", with_pip=False)
    (project / ".gitignore").write_text(".venv/\n")
    done = pre_commit(project, home)
    assert f"Python: {Path('.venv') / 'bin' / 'python'}" in done.stdout, done.stdout


def test_it_takes_the_drift_check_as_arguments(project: Path, home: Path) -> None:
    (project / "app.py").write_text(WRONG.replace("def make", "async def make", 1))
    git("add", "app.py", cwd=project)
    git(*IDENTITY, "commit", "--quiet", "--message", "make is asynchronous", cwd=project)
    (project / "app.py").write_text(WRONG)
    git("add", "app.py", cwd=project)
    done = pre_commit(project, home, "--since", "HEAD", ".")
    assert done.returncode == 1
    assert "app.py:1: make: async def became def and is not committed yet" in done.stdout
    assert "app.py:6: awaits make, which became def and is not committed yet" in done.stdout
