"""The wheel, built and installed elsewhere: all that `serve` and `checkout` need is in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from processes import clean_environment, git, netra_ws

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "netra_ws"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(
        command, cwd=folder, env=clean_environment(), check=True, capture_output=True, timeout=50
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it, away from the repository."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run(
        [*command, "--disable-pip-version-check", "--target", folder, wheel],
        env=clean_environment(),
        check=True,
        capture_output=True,
        timeout=50,
    )
    return folder


def sources() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == sources()
    assert not [name for name in names if name.endswith(".ipynb") or "tests/" in name]
    assert any(name.endswith("/licenses/LICENSE") for name in metadata)


def test_the_wheel_asks_for_nothing_that_serve_does_not_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    always = " ".join(line for line in required if "extra ==" not in line)
    for heavy in ("matplotlib", "jupyter", "nbclient", "nbconvert", "pytest", "hatchling"):
        assert heavy not in always
        assert heavy in " ".join(required)


@pytest.fixture(scope="module")
def attempt(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the installed wheel checks out, outside the repository."""
    folder = tmp_path_factory.mktemp("outside")
    env = {"PYTHONPATH": str(installed)}
    done = netra_ws("checkout", "fixed", "--into", "attempt", cwd=folder, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "attempt"


def test_the_checkout_came_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import netra_ws; print(netra_ws.__file__)"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert Path(done.stdout.strip()).parent == installed / "netra_ws"
    # Were the repository's package used, this could not fail.
    (installed / "netra_ws" / "incident" / "cases" / "issue_1231" / "fix.patch").rename(
        tmp_path / "set aside"
    )
    try:
        env = {"PYTHONPATH": str(installed)}
        done = netra_ws("checkout", "fixed", "--into", "attempt", cwd=tmp_path, env=env)
    finally:
        (tmp_path / "set aside").rename(
            installed / "netra_ws" / "incident" / "cases" / "issue_1231" / "fix.patch"
        )
    assert done.returncode == 2
    assert "fix.patch" in done.stderr


def test_the_history_of_the_wheel_is_the_one_of_the_repository(
    attempt: Path, history: Path
) -> None:
    for repository in (attempt, history):
        assert git("status", "--porcelain", cwd=repository) == ""
    ids = [sorted(git("show-ref", "--tags", cwd=one).splitlines()) for one in (attempt, history)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4
    assert len(git("rev-list", "release-1..before", cwd=attempt).splitlines()) >= 10


def test_the_package_in_the_checkout_is_the_installed_one(attempt: Path, installed: Path) -> None:
    for name in sources():
        assert (attempt / name).read_bytes() == (installed / name).read_bytes()
