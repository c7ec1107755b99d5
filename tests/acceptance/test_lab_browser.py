"""Every notebook in a real JupyterLab in a real browser: Run All, and no cell fails.

They are opened without outputs, so that each that is seen was made here. A picture of each is kept
in build/screenshots.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, copy_project
from limits import HANG_S
from playwright.sync_api import Browser, sync_playwright

from netra_ws.incident.notebooks import code_cells, find_notebooks, read_notebook

ROOT = Path(__file__).parents[2]
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
PICTURES = ROOT / "build" / "screenshots"
CHROMIUM = shutil.which("chromium")
LIMIT_MS = 1000 * HANG_S
RUN_LIMIT_MS = 2 * LIMIT_MS
"""The longest page runs the tests of the incident twice."""

CELLS = """() => jupyterapp.shell.currentWidget.content.widgets
  .filter((cell) => cell.model.type === "code")
  .map((cell) => ({count: cell.model.executionCount, outputs: cell.model.outputs.toJSON()}))"""

ENDED = f"""() => {{
  const cells = ({CELLS})();
  const failed = cells.some((cell) => cell.outputs.some((one) => one.output_type === "error"));
  return failed || cells.every((cell) => cell.count !== null);
}}"""

READY = """() => globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.isReady &&
  jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === "idle" &&
  jupyterapp.shell.currentWidget.content.widgets.length > 0"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
    pytest.mark.timeout(4 * HANG_S),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab(copy_project(ROOT, folder / "project"), folder / "home") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


def kinds(outputs: list[dict[str, Any]]) -> set[str]:
    """Return what a reader sees: the kinds of outputs, and the types of their data."""
    return {kind for one in outputs for kind in one.get("data", {one["output_type"]: ""})}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_runs_every_cell_without_an_error(path: Path, lab: Lab, browser: Browser) -> None:
    with browser.new_page(viewport={"width": 1280, "height": 900}) as tab:
        tab.set_default_timeout(LIMIT_MS)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(lab.page(path.name))
        tab.wait_for_function(READY)
        assert all(cell["count"] is None for cell in tab.evaluate(CELLS))
        tab.locator(".lm-MenuBar-item", has_text=re.compile("^Run$")).click()
        tab.locator(".lm-Menu-item", has_text=re.compile("^Run All Cells$")).click()
        tab.wait_for_function(ENDED, timeout=RUN_LIMIT_MS)
        PICTURES.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=PICTURES / f"lab-{path.stem}.png")
        cells = tab.evaluate(CELLS)
        outputs = [one for cell in cells for one in cell["outputs"]]
        assert [one for one in outputs if one["output_type"] == "error"] == []
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        committed = code_cells(read_notebook(path))
        assert [kinds(cell["outputs"]) for cell in cells] == [
            kinds(cell.outputs) for cell in committed
        ]
        assert {url for url in asked if not url.startswith((lab.url, "data:", "blob:"))} == set()
        tab.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
