"""What `make lab` adds to a person's own Jupyter configuration, and before it.

https://jupyter-server.readthedocs.io/en/latest/users/configuration.html
"""

import os
import sys
from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

HERE = Path(__file__).parent
TERMINAL = HERE / "terminal"
BIN = str(Path(sys.executable).parent)  # not resolved: a link leads out of the environment
LANGUAGE = dict(IPythonKernel.language_info)


class Pages(AsyncLargeFileManager):
    """Files, and notebooks that name their language in JupyterLab and not on the disk.

    JupyterLab writes `language_info` into a notebook as soon as its kernel runs. It holds the
    version of Python, so it does not belong in the file; and where it is missing, a notebook that
    nobody touched is shown as unsaved.
    """

    async def get(self, path: str, content: bool = True, **wanted: Any) -> dict[str, Any]:
        """Return a file as it is shown."""
        model: dict[str, Any] = await super().get(path, content, **wanted)
        if content and model["type"] == "notebook":
            model["content"].get("metadata", {}).setdefault("language_info", LANGUAGE)
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file as it is kept."""
        if model.get("type") == "notebook" and model.get("content"):
            metadata = model["content"].get("metadata", {})
            if metadata.get("language_info") == LANGUAGE:
                del metadata["language_info"]
        saved: dict[str, Any] = await super().save(model, path)
        return saved


def terminal(shell: str) -> list[str]:
    """Return the command of a terminal: the person's shell, with the environment first on its path.

    It is no login shell, for /etc/profile and macOS' path_helper set the path anew. The person's
    start-up files are read, and they may do so too: what is added here comes after them.
    """
    added = [f"SHELL={shell}", f"LAB_BIN={BIN}"]
    options = []
    match Path(shell).name:
        case "zsh":
            added += [f"ZDOTDIR={TERMINAL}", f"OWN_ZDOTDIR={os.environ.get('ZDOTDIR', '')}"]
        case "fish":
            options = ["--init-command", "set -gx PATH $LAB_BIN $PATH"]
        case "bash":
            added += [f"OWN_RC={Path.home() / '.bashrc'}"]
            options = ["--rcfile", str(TERMINAL / "rc.sh")]
        case _:
            added += [f"ENV={TERMINAL / 'rc.sh'}", f"OWN_RC={os.environ.get('ENV', '')}"]
    return ["env", *added, shell, *options]


c = get_config()  # type: ignore[name-defined]  # noqa: F821 - it is there when Jupyter reads this

c.ServerApp.root_dir = c.Pages.root_dir = str(HERE.parent)
c.Pages.preferred_dir = ""
c.ServerApp.allow_root = True
c.ServerApp.contents_manager_class = Pages
c.ServerApp.terminado_settings = {"shell_command": terminal(os.environ.get("SHELL") or "/bin/sh")}
c.LabApp.default_url = "/lab/tree/notebooks/00-post-mortem.ipynb"
# With the path below it would find pyrefly, and run it on every page.
c.LanguageServerManager.autodetect = False

# For the kernels. `!command` asks this shell, and sh reads no file that would change the path.
os.environ["PATH"] = os.pathsep.join([BIN, os.environ.get("PATH", os.defpath)])
os.environ["SHELL"] = "/bin/sh"
# A kernel `python3` that somebody installed for all projects comes after the environment's.
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
