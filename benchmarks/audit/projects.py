"""Large asyncio projects from the package index, as their authors released them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

INSTALL_S = 600.0


class Project(NamedTuple):
    """A release of a project; `package` is its folder of source, below that of the release.

    `installed`: whether it is installed with what it imports, or judged without. `wrong`: places
    in it that are wrong indeed, looked at by hand.
    """

    name: str
    version: str
    package: str
    installed: bool = True
    wrong: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name and version, for people."""
        return f"{self.name} {self.version}"


PROJECTS = (
    Project("aiohttp", "3.13.2", "aiohttp"),
    Project("tornado", "6.5.2", "tornado"),
    Project("distributed", "2025.11.0", "distributed"),
    Project(
        "homeassistant",
        "2024.3.3",
        "homeassistant",
        installed=False,  # it would be some 1,500 packages
        # Of `asyncio.subprocess.Process`; its authors catch the TypeError.
        wrong=("homeassistant/components/ping/helpers.py:152: `None` is not awaitable",),
    ),
)


def fetch(project: Project, cache: Path) -> Path:
    """Return the folder of a project's unpacked source distribution, fetched once.

    Raises `subprocess.CalledProcessError` if it cannot be had.
    """
    folder = cache / f"{project.name}-{project.version}"
    if not folder.exists():
        sources = cache / "archives"
        sources.mkdir(parents=True, exist_ok=True)
        _pip(
            "download",
            "--no-deps",
            "--no-binary=:all:",
            f"--dest={sources}",
            f"{project.name}=={project.version}",
        )
        (archive,) = sources.glob(f"{project.name}-{project.version}*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(cache, filter="data")
    return folder


def environment(cache: Path) -> Path:
    """Return the interpreter of an environment in which all projects are installed."""
    venv = cache / "venv"
    python = venv / "bin" / "python"
    ready = venv / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=INSTALL_S)
        names = [f"{one.name}=={one.version}" for one in PROJECTS if one.installed]
        _pip("install", "--quiet", *names, python=python)
        ready.touch()
    return python


def _pip(command: str, *arguments: str, python: Path = Path(sys.executable)) -> None:
    subprocess.run(
        [python, "-m", "pip", command, "--disable-pip-version-check", *arguments],
        check=True,
        timeout=INSTALL_S,
        stdout=subprocess.DEVNULL,
    )


def files(project: Project, cache: Path) -> list[Path]:
    """Return the Python files of a project's package."""
    return sorted((fetch(project, cache) / project.package).rglob("*.py"))
