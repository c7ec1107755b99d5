"""A real JupyterLab on a copy of the notebooks, with settings and files of its own."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import leash
from limits import HANG_S
from processes import clean_environment

from netra_ws.incident.notebooks import code_cells, find_notebooks, read_notebook

QUIET = {
    # Neither news nor updates are looked for: nothing leaves this machine.
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # Its own saving would be one more thing that happens while cells run.
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


def copy_project(root: Path, into: Path) -> Path:
    """Copy the notebooks without their outputs, and the tests that they run; return their folder.

    A notebook reaches the tests as `..`, as in a checkout.
    """
    import nbformat

    into.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".cases", ".cache")
    shutil.copytree(root / "notebooks", into / "notebooks", ignore=ignored)
    shutil.copytree(root / "tests", into / "tests", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "runbook.md"):
        shutil.copy(root / name, into / name)
    for path in find_notebooks(into / "notebooks"):
        notebook = read_notebook(path)
        for cell in code_cells(notebook):
            cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)
    return into / "notebooks"


class Lab:
    """A running JupyterLab; raises `AssertionError` if it does not start in time."""

    def __init__(self, notebooks: Path, home: Path) -> None:
        settings = home / "settings"
        settings.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(QUIET))
        self.token = secrets.token_hex(16)
        folders = {
            f"JUPYTER_{name}_DIR": str(home / name.lower())
            for name in ("CONFIG", "DATA", "RUNTIME")
        }
        own = {name: str(home / name.lower()) for name in ("IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")}
        self.process = leash.start(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
                f"--ServerApp.root_dir={notebooks}",
                f"--IdentityProvider.token={self.token}",
                f"--LabApp.app_settings_dir={settings}",
                f"--LabApp.workspaces_dir={home / 'workspaces'}",
                "--LabApp.expose_app_in_browser=True",
            ],
            cwd=notebooks,
            env=clean_environment() | folders | own,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        self._started = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._started.wait(HANG_S)
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said)
        if found is None:
            self.stop()
            raise AssertionError(f"JupyterLab did not start:\n{self.said}")
        self.url = found[0]

    def _read(self) -> None:
        """Note what it says until it ends: a full pipe would stop it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.append(line)
            if "/lab?token" in line:
                self._started.set()
        self._started.set()

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return "".join(self._said)

    def page(self, name: str) -> str:
        """Return the address of a notebook."""
        return f"{self.url}/lab/tree/{name}?reset&token={self.token}"

    def stop(self) -> None:
        """End it, and the kernels with it."""
        self.process.terminate()
        try:
            self.process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            pass  # then it is killed
        leash.kill(self.process)
        self._reader.join(HANG_S)
        leash.end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
