"""Running the notebooks: each in a fresh kernel, and kept unless something really changed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from netra_incident.measuring.timeline import TIMES
from netra_incident.report.navigation import PAGES, set_bar
from netra_ws.errors import ConfigurationError, NetraError

CELL_TIMEOUT_S = 600

Progress = Callable[[], object]
"""Called after every code cell."""


class NotebookFailed(NetraError):
    """Raised when a cell of a notebook fails; names the cell and how to open the notebook."""

    exit_code = 1

    def __init__(self, path: Path, number: int, cells: int, source: str, why: str) -> None:
        lines = "\n".join(f"    {line}" for line in source.splitlines()[:6])
        super().__init__(
            f"{path} failed in cell {number} of {cells}:\n{lines}\n  {why}\n"
            f"open it: jupyter lab {path}"
        )


def find_notebooks(folder: Path) -> list[Path]:
    """Return the notebooks of `folder` in their order.

    Raises `ConfigurationError` if there are none.
    """
    paths = sorted(folder.glob(PAGES))
    if not paths:
        msg = f"no notebooks in {folder}: run this in a checkout of the project"
        raise ConfigurationError(msg)
    return paths


def read_notebook(path: Path) -> NotebookNode:
    """Return a notebook; raises `ConfigurationError` if the file is not one."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)  # `read` itself only logs what is wrong
    # Of JSON that is none, or of another shape, it trips over the first thing that is not there.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a notebook: {error}") from error
    except nbformat.ValidationError as error:
        raise ConfigurationError(f"{path} is not a notebook: {error.message}") from error
    if not notebook.cells:
        raise ConfigurationError(f"{path} is not a notebook: expected cells, got none")
    return cast("NotebookNode", notebook)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run_notebook(path: Path, progress: Progress = lambda: None) -> NotebookNode:
    """Run the notebook at `path` in a fresh kernel and return it with its bar and new outputs.

    The file is not touched. Raises `NotebookFailed` for a cell that raises, hangs for
    `CELL_TIMEOUT_S` seconds or ends the kernel, `ConfigurationError` if no kernel starts.
    """
    notebook = read_notebook(path)
    set_bar(notebook, path)
    running: list[int] = []

    def started(cell: NotebookNode, cell_index: int) -> None:
        running.append(cell_index)
        if cell.cell_type == "code":
            progress()

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        # Below that level a kernel warns of its own transport, which is this machine's loopback.
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,  # where one cell's prints are cut apart is a matter of timing
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=started,
    )
    # What a cell prints is an output. What the kernel itself says matters if it does not start; at
    # its end it may complain of a socket that is closed by then.
    with tempfile.TemporaryFile() as said:
        try:
            client.execute(stderr=said)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            index = running[-1]
            why = re.sub(r"\x1b\[[0-9;]*m", "", str(error).strip().splitlines()[-1])
            source = notebook.cells[index].source
            raise NotebookFailed(path, index + 1, len(notebook.cells), source, why) from error
        except RuntimeError as error:
            client.create_kernel_manager()  # nbclient 0.11 ends one at exit, and has none now
            said.seek(0)
            words = said.read().decode(errors="replace").split()
            msg = f"{path}: the kernel python3 does not start: {' '.join(words)[-500:] or error}"
            raise ConfigurationError(msg) from error
    # Neither the interpreter's version nor anything of the session belongs in the file.
    notebook.metadata.pop("language_info", None)
    return notebook


def compared(notebook: NotebookNode) -> list[list[Any]]:
    """Return the outputs that may not differ: all but pictures, tracebacks and times.

    Strict nbval compares them without their metadata, such as the words for a picture. Of an error
    it compares type and message and no traceback: there are Python's own words, which differ from
    version to version. So here a traceback counts by its presence.
    """
    cells = []
    for cell in code_cells(notebook):
        outputs = []
        for output in cell.outputs:
            kept = {key: value for key, value in output.items() if key != "data"}
            if TIMES in kept.get("metadata", {}):
                kept["metadata"] = {k: v for k, v in kept["metadata"].items() if k != TIMES}
            if "traceback" in kept:
                kept["traceback"] = bool(kept["traceback"])
            data = output.get("data", {})
            kept["data"] = {k: v for k, v in data.items() if not k.startswith("image/")}
            outputs.append(kept)
        cells.append(outputs)
    return cells


def digests(notebook: NotebookNode) -> dict[str, str]:
    """Return a digest of what a person wrote in a notebook and one of what its cells gave.

    Pictures count by their presence, since their bytes differ from run to run. A notebook carries
    both in its metadata: nbval does not see outputs that were stripped, a digest does.
    """
    source = sha256()
    for cell in notebook.cells:
        source.update(f"{cell.cell_type}\n{cell.source}\n".encode())
    types = [
        [sorted(output.get("data", {})) for output in cell.outputs] for cell in code_cells(notebook)
    ]
    outputs = json.dumps([compared(notebook), types], sort_keys=True)
    return {"source": source.hexdigest(), "outputs": sha256(outputs.encode()).hexdigest()}


def build_notebook(path: Path, progress: Progress = lambda: None) -> bool:
    """Run the notebook at `path` and rewrite the file if its source or an output changed.

    A bar that leads elsewhere is a change of the source. Pictures and tracebacks alone are no
    reason: they differ from run to run, or from Python to Python, and a diff of them tells nothing.
    Returns whether the file was written.
    """
    old = read_notebook(path)
    new = run_notebook(path, progress)
    new.metadata["netra_ws"] = digests(new)
    if old.metadata.get("netra_ws") == digests(old) == digests(new):
        return False
    nbformat.write(new, path)
    return True
