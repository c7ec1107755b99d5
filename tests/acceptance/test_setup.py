"""`make setup` in fresh clones: what it makes, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lock
import pytest
from limits import HANG_S
from processes import clean_environment, git

ROOT = Path(__file__).parents[2]
LIMIT_S = 2 * HANG_S
"""A set-up takes seconds with a warm cache; without one it waits for the index."""

Made = subprocess.CompletedProcess[str]
PLATFORMS = (
    *("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"),
    *("x86_64-apple-darwin", "aarch64-apple-darwin"),
)
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "5"}
"""An index at a port that nobody listens on."""

pytestmark = pytest.mark.timeout(2 * LIMIT_S)


def make(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Made:
    kept = {name: text for name, text in clean_environment().items() if name != "MAKEFLAGS"}
    return subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", *arguments],
        cwd=folder,
        env=kept | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def environment_of(folder: Path) -> Path:
    """Return the folder of the environment that a set-up in a clone makes for this Python."""
    return folder / f".venv-{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, with the files as they are here."""
    folder = tmp_path / "a [clone] of 'it'"
    git("clone", "--quiet", ROOT, folder, cwd=tmp_path)
    for name in ("Makefile", "pyproject.toml", "requirements"):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    return folder


def refused(made: Made, folder: Path) -> str:
    """Return the one line in which a set-up says why it failed; nothing is marked ready."""
    assert made.returncode == 2
    (line,) = (one for one in made.stderr.splitlines() if not one.startswith("make"))
    assert "Traceback" not in made.stdout + made.stderr
    assert not (environment_of(folder) / ".ready").exists()
    return line


def test_a_clone_gets_the_locked_versions_once(clone: Path) -> None:
    made = make(clone, "setup")
    assert made.returncode == 0, made.stderr
    steps = made.stdout.splitlines()
    assert len(steps) == 4
    assert "Installing the locked packages" in steps
    assert (clone / "build" / "setup.log").stat().st_size > 0
    checked = make(clone, "lock-check")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

    other = make(clone, "lock-check", "WITH=msgspec==0.22.*")
    assert other.returncode == 2
    assert "msgspec: " in other.stderr
    assert sorted(path.name for path in clone.glob(".venv*")) == [
        environment_of(clone).name,
        f"{environment_of(clone).name}-msgspec-0.22",
    ]


def test_a_changed_lock_makes_a_new_environment(clone: Path) -> None:
    assert make(clone, "setup").returncode == 0
    stray = environment_of(clone) / "stray"
    stray.touch()
    assert make(clone, "setup").stdout == ""
    assert stray.exists()
    with (clone / "requirements" / "dev.txt").open("a") as file:
        file.write("# changed\n")
    assert "Installing the locked packages" in make(clone, "setup").stdout
    assert not stray.exists()


@pytest.mark.parametrize("package", ["click", "uv"])
def test_a_file_with_another_hash_is_refused(clone: Path, package: str) -> None:
    path = clone / "requirements" / "dev.txt"
    text = path.read_text()
    path.write_text(_with_wrong_hashes(text, package))
    line = refused(make(clone, "setup"), clone)
    assert "hash" in line.lower()
    path.write_text(text)
    assert make(clone, "setup").returncode == 0


def _with_wrong_hashes(text: str, package: str) -> str:
    begin = text.index(f"\n{package}==")
    end = text.index("# via", begin)
    block = re.sub(r"sha256:.{8}", "sha256:00000000", text[begin:end])
    return text[:begin] + block + text[end:]


def test_without_an_index_it_says_so_and_the_next_one_succeeds(clone: Path) -> None:
    assert "network" in refused(make(clone, "setup", env=NOWHERE), clone)
    assert make(clone, "setup").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_is_one_line(clone: Path) -> None:
    (clone / "build").mkdir()
    (clone / "build" / "setup.log").symlink_to("/dev/full")
    assert os.strerror(28) in refused(make(clone, "setup"), clone)
    (clone / "build" / "setup.log").unlink()
    assert make(clone, "setup").returncode == 0


WITHOUT = """\
#!{python}
import importlib.util, pathlib, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ensurepip" else find(name, *rest)
if sys.argv[1] == "-c":
    exec(sys.argv[2])
else:
    sys.argv = [word for word in sys.argv[1:] if word not in ("-E", "-s")]
    sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
TOO_OLD = "#!/bin/sh\nexit 1\n"
NO_PYTHON = "#!/bin/sh\nexit 0\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WITHOUT, "ensurepip"),
        (TOO_OLD, "expected Python 3.11 or newer"),
        (NO_PYTHON, "expected Python 3.11 or newer"),
    ],
)
def test_a_python_that_cannot_make_one_is_one_line(
    clone: Path, tmp_path: Path, text: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(text.format(python=sys.executable))
    python.chmod(0o755)
    made = make(clone, "setup", f"PYTHON={python}")
    assert made.returncode == 2
    assert sum(said in one for one in (made.stdout + made.stderr).splitlines()) == 1
    assert "Traceback" not in made.stderr
    assert not list(clone.glob(".venv*/.ready"))


def test_what_pip_is_told_otherwise_changes_nothing(clone: Path, tmp_path: Path) -> None:
    """A target, a prefix, another Python: each would install something else, or elsewhere."""
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(f'[pip]\ntarget = "{tmp_path / "elsewhere"}"\n')
    told = {
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PIP_PREFIX": str(tmp_path / "elsewhere"),
        "PIP_PYTHON": "/usr/bin/python3",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_USER": "1",
        "UV_TARGET": str(tmp_path / "elsewhere"),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    (tmp_path / "constraints.txt").write_text("msgspec==0.20\nuv==0.8\n")
    made = make(clone, "setup", env=told)
    assert made.returncode == 0, made.stderr
    assert make(clone, "lock-check").returncode == 0
    assert not (tmp_path / "elsewhere").exists()


def test_what_an_environment_leads_to_is_not_touched(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    environment_of(clone).symlink_to(other)
    assert make(clone, "setup").returncode == 0
    assert [path.name for path in other.iterdir()] == ["precious"]
    assert not environment_of(clone).is_symlink()


def test_a_file_in_the_place_of_an_environment_is_one_line(clone: Path) -> None:
    environment_of(clone).write_text("mine")
    made = make(clone, "setup")
    (line,) = (one for one in made.stderr.splitlines() if not one.startswith("make"))
    assert "is a file" in line
    assert environment_of(clone).read_text() == "mine"


@pytest.mark.parametrize("python", ["", "no such name", "python3 -x"])
def test_a_name_that_is_no_python_is_one_line(clone: Path, python: str) -> None:
    made = make(clone, "setup", f"PYTHON={python}")
    assert made.returncode == 2
    assert f"expected Python 3.11 or newer as '{python}'" in made.stdout
    assert not list(clone.glob(".venv*"))


def test_a_wish_that_cannot_be_met_is_one_line(clone: Path) -> None:
    for wish in ("it's", "no-such-package-of-anybody==9"):
        made = make(clone, "setup", f"WITH={wish}")
        assert made.returncode == 2
        (line,) = (one for one in made.stderr.splitlines() if not one.startswith("make"))
        assert "is not set up" in line
        assert not list(clone.glob(".venv*/.ready"))


@pytest.mark.parametrize("path", [lock.DEV, lock.SERVE], ids=lambda path: path.stem)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_package_has_a_wheel_in_the_lock(
    platform: str, python: str, path: Path, tmp_path: Path
) -> None:
    """uv resolves for another platform and takes wheels alone, with the hashes of the lock."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--require-hashes"]
    command += ["--only-binary=:all:", f"--python-platform={platform}"]
    command += [f"--python-version={python}", f"--target={tmp_path}", f"--requirement={path}"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stderr
