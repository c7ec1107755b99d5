"""What `make lab` gives to terminals, to kernels and to notebooks, without a browser."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from lab import hostile_home, person
from limits import HANG_S
from processes import clean_environment
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from netra_incident.cli import COMMANDS
from netra_incident.report.notebooks import find_notebooks

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NOTEBOOKS = [path.relative_to(ROOT) for path in find_notebooks(ROOT / "notebooks")]
SHELLS = ("bash", "zsh", "fish", "sh")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """Return the path of a shell."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"needs {request.param}")
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be somebody whose shells set the path anew, with a path that knows no environment."""
    folder = tmp_path / "the home"
    variables = hostile_home(folder) | person(folder) | {"PATH": "/usr/bin:/bin"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # The configuration sets these: they are put back after the test.
    monkeypatch.setenv("SHELL", shutil.which("zsh") or "/bin/sh")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    return folder


def configuration() -> Config:
    """Return the project's Jupyter configuration, read in the environment of this test."""
    return PyFileConfigLoader("jupyter_server_config.py", path=str(ROOT / ".jupyter")).load_config()


def in_terminal(command: list[str], typed: str) -> str:
    """Type into a shell in a terminal of its own; return all that it showed until it ended."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env=clean_environment() | {"TERM": "dumb"},
    )
    os.close(slave)
    os.write(master, f"{typed}\nexit\n".encode())
    shown = b""
    try:
        while part := os.read(master, 4096):
            shown += part
    except OSError:  # what Linux says when the other side is gone
        pass
    finally:
        os.close(master)
        process.kill()
        process.wait(HANG_S)
    return shown.decode()


@pytest.mark.usefixtures("home")
def test_a_terminal_has_the_environment_first_on_its_path(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", shell)
    command = configuration().ServerApp.terminado_settings["shell_command"]
    said = in_terminal(command, 'echo "<$SHELL>"; command -v python; command -v netra-ws')
    assert f"<{shell}>" in said
    assert f"{BIN}/python" in said
    assert f"{BIN}/netra-ws" in said
    assert "own prompt" in said


def test_a_kernel_is_that_of_the_environment_and_finds_its_commands(home: Path) -> None:
    kernels = home / "data" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "Another"}')
    configuration()
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=HANG_S)
    said: list[str] = []
    try:
        client.execute_interactive(
            "import sys\nprint(sys.executable)\n!netra-ws --help",
            timeout=HANG_S,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert sys.executable in "".join(said)
    assert all(name in "".join(said) for name in COMMANDS)


@pytest.fixture
def pages(home: Path) -> Iterator[Any]:
    """Give what reads and writes the files of a copy of the notebooks."""
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    manager = configuration().ServerApp.contents_manager_class(root_dir=str(home))
    yield manager
    manager.notary.store.close()  # the one of a process stays open until that ends


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
async def test_a_page_names_its_language_where_it_is_shown_and_not_in_the_file(
    path: Path, pages: Any, home: Path
) -> None:
    shown = await pages.get(str(path))
    language = shown["content"]["metadata"]["language_info"]
    assert language["version"] == sys.version.split()[0]
    await pages.save(shown, str(path))
    assert (home / path).read_bytes() == (ROOT / path).read_bytes()


async def test_a_notebook_in_another_language_keeps_it(pages: Any) -> None:
    shown = await pages.get("notebooks/00-post-mortem.ipynb")
    shown["content"]["metadata"]["language_info"] = {"name": "R"}
    await pages.save(shown, "notebooks/other.ipynb")
    again = await pages.get("notebooks/other.ipynb")
    assert again["content"]["metadata"]["language_info"] == {"name": "R"}


async def test_what_is_no_notebook_is_read_and_written_as_it_is(pages: Any, home: Path) -> None:
    shown = await pages.get("notebooks/glossary.md")
    await pages.save(shown | {"content": "# New\n"}, "notebooks/glossary.md")
    assert (home / "notebooks" / "glossary.md").read_text() == "# New\n"


def test_the_make_target_starts_what_is_tested_here() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--always-make", "lab"],
        cwd=ROOT,
        env=clean_environment() | {"MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    command = done.stdout.splitlines()[-1]
    assert command.startswith(f'JUPYTER_CONFIG_PATH="{ROOT}/.jupyter')
    assert command.endswith("bin/jupyter lab")
