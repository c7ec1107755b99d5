"""The wheel, built and installed elsewhere: an audit needs no extra, `serve` and `checkout` one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import leash
import pytest
from packages import ROOT, sources
from processes import clean_environment, git, netra_ws

from netra_incident.cli import COMMANDS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = leash.run(command, cwd=folder, env=clean_environment())
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it, away from the repository."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    command += ["--disable-pip-version-check", "--target", folder, wheel]
    done = leash.run(command, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return folder


def names(*packages: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in sources(*packages)}


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    metadata = {name for name in found if ".dist-info/" in name}
    assert found - metadata == names()
    assert not [name for name in found if name.endswith(".ipynb") or "tests/" in name]
    assert any(name.endswith("/licenses/LICENSE") for name in metadata)


READ_WHILE_IT_RUNS = (
    "await_audit/py.typed",
    "netra_incident/cases/issue_1231/fix.patch",
    "netra_incident/cases/issue_1231/incident.toml",
    "netra_incident/cases/issue_1231/injuries/wait-for.patch",
    "netra_incident/history/controls/leak.patch",
    "netra_incident/history/stand_in/netra_ws/__init__.py",
    "netra_incident/py.typed",
    "netra_incident/report/pages/page.css",
    "netra_incident/report/pages/post-mortem.md.j2",
    "netra_incident/report/pages/post_mortem/index.html.j2",
    "netra_ws/py.typed",
    "netra_ws/serving/live.html",
)


def test_the_wheel_holds_what_is_read_while_it_runs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in READ_WHILE_IT_RUNS:
            assert archive.read(name) == (ROOT / name).read_bytes(), name


BASE = {"click", "libcst", "pyrefly", "rich"}
SERVER = {"aiohttp", "argon2-cffi", "msgspec", "prometheus-client", "PyJWT", "structlog"}
SERVER |= {"uvloop", "websockets"}


def requirements(wheel: Path) -> dict[str, set[str]]:
    """Return the names of the required packages by their extra, that of none is empty."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    found: dict[str, set[str]] = {}
    for line in re.findall(r"^Requires-Dist: (.+)$", metadata, re.MULTILINE):
        package = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"](.+?)['\"]", line)
        assert package is not None
        found.setdefault(extra[1] if extra else "", set()).add(package[0])
    return found


def test_the_wheel_asks_for_nothing_that_an_audit_does_not_need(wheel: Path) -> None:
    required = requirements(wheel)
    assert required[""] == BASE
    assert {name.lower() for name in required["serve"]} == {name.lower() for name in SERVER}
    assert {"jupyterlab", "matplotlib", "nbclient", "nbconvert"} < required["incident"]
    assert {"pytest", "hatchling"} < required["test"]


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a new environment in which the wheel is installed without any extra."""
    folder = tmp_path_factory.mktemp("bare")
    environment = clean_environment()
    environment.pop("PYTHONPATH", None)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    for command in (
        [sys.executable, "-m", "venv", folder],
        [scripts / "python", "-m", "pip", "install", "--quiet", "--no-input", wheel],
    ):
        done = leash.run(command, env=environment)
        assert done.returncode == 0, done.stderr
    return scripts


def in_bare(
    bare: Path, *arguments: str | Path, cwd: Path, program: str = "netra-ws"
) -> subprocess.CompletedProcess[str]:
    environment = clean_environment()
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    return leash.run([bare / program, *arguments], cwd=cwd, env=environment)


def test_an_audit_runs_where_no_extra_is_installed(bare: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
    listed = in_bare(bare, "-c", code, cwd=tmp_path, program="python").stdout.lower().split()
    assert {"netra_ws", *BASE} <= set(listed)
    assert not {name.lower() for name in SERVER} & set(listed)
    assert not [name for name in listed if "jupyter" in name or name == "ipykernel"]
    wrong = (
        "def make() -> int:\n    return 1\n\n\nasync def main() -> int:\n    return await make()\n"
    )
    (tmp_path / "app.py").write_text(wrong)
    done = in_bare(bare, "audit", "--output-format", "json-lines", ".", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (finding,) = map(json.loads, done.stdout.splitlines())
    assert (finding["file"], finding["line"], finding["kind"]) == ("app.py", 6, "await-sync")
    (tmp_path / "app.py").write_text(wrong.replace("await ", ""))
    assert in_bare(bare, "audit", ".", cwd=tmp_path).returncode == 0


def test_the_drift_check_runs_there_as_well(bare: Path, history: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git("clone", "--quiet", history, clone, cwd=tmp_path)
    git("checkout", "--quiet", "buggy", cwd=clone)
    done = in_bare(bare, "audit", "--since", "before", ".", cwd=clone)
    assert (done.returncode, done.stderr) == (1, "")
    assert "4 callers left behind" in done.stdout


def test_the_help_lists_commands_that_are_not_installed(bare: Path, tmp_path: Path) -> None:
    done = in_bare(bare, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name, lazy in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(lazy.short_help)}$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["serve"], "serve"),
        (["serve", "--help"], "serve"),
        (["hash-password", "--password", "x"], "serve"),
        (["checkout", "fixed", "--into", "new"], "serve"),
        (
            ["probe", "--base-url", "http://127.0.0.1:1", "--auth-url", "http://127.0.0.1:1"],
            "serve",
        ),
        (["verify"], "test"),
        (["drill"], "test"),
        (["walkthrough"], "incident"),
        (["notebooks"], "incident"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else value,
)
def test_a_missing_extra_is_one_line_that_names_it(
    arguments: list[str], extra: str, bare: Path, tmp_path: Path
) -> None:
    done = in_bare(bare, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    line = rf"netra-ws: \w+ is not installed; in a clone of netra_ws: pip install '\.\[{extra}\]'\n"
    assert re.fullmatch(line, done.stderr), done.stderr


def test_a_public_name_that_needs_an_extra_says_so(bare: Path, tmp_path: Path) -> None:
    done = in_bare(bare, "-c", "from netra_ws import Settings", cwd=tmp_path, program="python")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert "in a clone of netra_ws: pip install '.[serve]'" in done.stderr


@pytest.fixture(scope="module")
def attempt(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the installed wheel checks out, outside the repository."""
    folder = tmp_path_factory.mktemp("outside")
    env = {"PYTHONPATH": str(installed)}
    done = netra_ws("checkout", "fixed", "--into", "attempt", cwd=folder, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "attempt"


def test_the_checkout_came_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = leash.run(
        [sys.executable, "-P", "-c", "import netra_ws; print(netra_ws.__file__)"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(installed)},
    )
    assert Path(done.stdout.strip()).parent == installed / "netra_ws"
    # Were the repository's package used, this could not fail.
    (installed / "netra_incident" / "cases" / "issue_1231" / "fix.patch").rename(
        tmp_path / "set aside"
    )
    try:
        env = {"PYTHONPATH": str(installed)}
        done = netra_ws("checkout", "fixed", "--into", "attempt", cwd=tmp_path, env=env)
    finally:
        (tmp_path / "set aside").rename(
            installed / "netra_incident" / "cases" / "issue_1231" / "fix.patch"
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
    for name in names("netra_ws"):
        assert (attempt / name).read_bytes() == (installed / name).read_bytes()
