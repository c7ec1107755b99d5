"""A real JupyterLab on a copy of the project, as `make lab` starts it, for a person of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import leash
from limits import HANG_S
from processes import clean_environment, git

CHOSEN = {
    # Its own saving would be one more thing that happens while cells run.
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    # Writes what a terminal shows where a browser's test can read it.
    "@jupyterlab/terminal-extension/plugin": {"screenReaderMode": True},
}
"""What this person has set in JupyterLab."""


def copy_project(root: Path, into: Path) -> Path:
    """Copy the files of the project, those that are not committed yet included; return `into`."""
    for name in git(
        "ls-files", "--cached", "--others", "--exclude-standard", cwd=root
    ).splitlines():
        if (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, into / name)
    return into


def person(home: Path) -> dict[str, str]:
    """Return the variables that give Jupyter and IPython empty folders of their own in `home`."""
    folders = {
        f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")
    }
    return folders | {"IPYTHONDIR": str(home / "ipython")}


def hostile_home(home: Path) -> dict[str, str]:
    """Make the home of somebody whose shells set the path anew whenever they start.

    Return the variables that lead there. Each file also sets the prompt, so a test can tell that it
    was read.
    """
    files = (".profile", ".bash_profile", ".bashrc", ".shrc", ".zshenv", ".zprofile", ".zshrc")
    for name in (*files, ".config/fish/config.fish"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("export PATH=/usr/bin:/bin\nPS1='own prompt $ '\n")
    # As the hooks of version managers do, before each prompt.
    with (home / ".bashrc").open("a") as file:
        file.write("PROMPT_COMMAND='PATH=/usr/bin:/bin'\n")
    with (home / ".zshrc").open("a") as file:
        file.write("precmd() { PATH=/usr/bin:/bin }\n")
    (home / ".config" / "fish" / "config.fish").write_text(
        "set -gx PATH /usr/bin /bin\nfunction fish_prompt; echo 'own prompt $ '; end\n"
    )
    return {"HOME": str(home), "ENV": str(home / ".shrc")}


class Lab:
    """A running JupyterLab; raises `AssertionError` if it does not start in time."""

    def __init__(self, project: Path, home: Path, env: Mapping[str, str] = os.environ) -> None:
        for name, settings in CHOSEN.items():
            path = home / "config" / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(settings))
        self.token = secrets.token_hex(16)
        self.process = leash.start(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser"),
                *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
                f"--IdentityProvider.token={self.token}",
                "--LabApp.expose_app_in_browser=True",
            ],
            cwd=project,
            env=clean_environment(env)
            | person(home)
            | {"JUPYTER_CONFIG_PATH": str(project / ".jupyter")},
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
            if "?token=" in line:
                self._started.set()
        self._started.set()

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return "".join(self._said)

    def page(self, path: Path | str = "") -> str:
        """Return the address of a file of the project; without one, that of the first page."""
        tree = f"/lab/tree/{path}?reset&" if path else "/?"
        return f"{self.url}{tree}token={self.token}"

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
