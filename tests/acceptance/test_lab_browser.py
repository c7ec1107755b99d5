"""`make lab` in a real browser: pages that run, links that lead somewhere, a terminal that works.

A picture of each page whose cells were run, and of the terminal, is kept in build/screenshots.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from lab import Lab, copy_project, hostile_home
from limits import HANG_S
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as NotInTime

from netra_incident.report.hypertext import links
from netra_incident.report.notebooks import code_cells, find_notebooks, read_notebook

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [path.relative_to(ROOT) for path in find_notebooks(ROOT / "notebooks")]
TEXTS = [
    path.relative_to(ROOT)
    for folder in (".", "docs", "notebooks")
    for path in ROOT.glob(f"{folder}/*.md")
]
VIEWERS = {".ipynb": "jp-Notebook", ".md": "jp-MarkdownViewer", ".png": "jp-ImageViewer"}
"""The class of what shows a file; that of all others is `jp-FileEditor`."""

PICTURES = ROOT / "build" / "screenshots"
LIMIT_MS = 1000 * HANG_S
RUN_LIMIT_MS = 2 * LIMIT_MS
"""Detectors of hangs; the longest page runs the tests of the incident twice."""

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

SHOWN = """([path, viewer, heading]) => {
  const shown = globalThis.jupyterapp?.shell.currentWidget;
  if (shown?.context?.path !== path || !shown.context.isReady) return false;
  const content = shown.content.node;
  if (!content.classList.contains(viewer)) return false;
  if (!heading) return true;
  const found = [...content.querySelectorAll("[data-jupyter-id]")]
    .find((one) => one.dataset.jupyterId === heading);
  if (!found) return false;
  const [inner, outer] = [found, content].map((one) => one.getBoundingClientRect());
  return inner.top > outer.top - 2 && inner.bottom < outer.bottom + 2;
}"""
"""Says whether this file is in front and loaded, in this viewer, with this heading in view."""

DRAWN = """(heading) => [...document.querySelectorAll("[data-jupyter-id]")]
  .some((one) => one.checkVisibility() && one.dataset.jupyterId === heading)"""

BACK = """(path) => {
  const [page] = [...jupyterapp.shell.widgets("main")].filter((one) => one.context?.path === path);
  jupyterapp.shell.activateById(page.id);
}"""

UNSAVED = """() => [...jupyterapp.shell.widgets("main")]
  .filter((one) => one.context?.model.dirty).map((one) => one.context.path)"""

RESOLVED = """([id, links]) => [...document.getElementById(id).querySelectorAll(links)]
  .every((one) => /^(https?:|#)/.test(one.getAttribute("href")))"""
"""Says whether JupyterLab knows by now where these links lead; it does not follow them before."""

LINKS = ".jp-RenderedMarkdown a[href]:not(.jp-InternalAnchorLink)"

pytestmark = pytest.mark.timeout(4 * HANG_S)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(ROOT, tmp_path_factory.mktemp("lab") / "the project")


@pytest.fixture(scope="module")
def lab(project: Path) -> Iterator[Lab]:
    with Lab(project, project.parent / "home") as running:
        yield running


@contextmanager
def opened(browser: Browser, lab: Lab) -> Iterator[Page]:
    """Open a tab in which nothing goes wrong, nothing pops up and nothing asks another machine."""
    with browser.new_page(viewport={"width": 1280, "height": 900}) as tab:
        tab.set_default_timeout(LIMIT_MS)
        asked: list[str] = []
        answers: list[tuple[int, str]] = []
        errors: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("response", lambda answer: answers.append((answer.status, answer.url)))
        yield tab
        expect(tab.locator(".jp-Dialog, .Toastify__toast")).to_have_count(0)
        assert errors == []
        assert [answer for answer in answers if answer[0] >= 400] == []
        assert [url for url in asked if not url.startswith((lab.url, "data:", "blob:"))] == []
        tab.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")


def choose(tab: Page, *entries: str) -> None:
    """Choose from the menus: their names, from the bar inwards."""
    for kind, entry in zip([".lm-MenuBar-item", *[".lm-Menu-item"] * 9], entries, strict=False):
        tab.locator(kind, has_text=re.compile(f"^{entry}$")).click()


def kinds(outputs: list[dict[str, Any]]) -> set[str]:
    """Return what a reader sees: the kinds of outputs, and the types of their data."""
    return {kind for one in outputs for kind in one.get("data", {one["output_type"]: ""})}


def without_outputs(path: Path) -> nbformat.NotebookNode:
    """Return what is in a notebook besides the outputs of its cells."""
    notebook = read_notebook(path)
    for cell in code_cells(notebook):
        cell.outputs = []
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_runs_every_cell_without_an_error(
    path: Path, lab: Lab, project: Path, browser: Browser
) -> None:
    with opened(browser, lab) as tab:
        tab.goto(lab.page(path))
        tab.wait_for_function(READY)
        choose(tab, "Edit", "Clear Outputs of All Cells")
        assert all(cell["count"] is None for cell in tab.evaluate(CELLS))
        choose(tab, "Run", "Run All Cells")
        tab.wait_for_function(ENDED, timeout=RUN_LIMIT_MS)
        PICTURES.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=PICTURES / f"lab-{path.stem}.png")
        cells = tab.evaluate(CELLS)
        outputs = [one for cell in cells for one in cell["outputs"]]
        assert [one for one in outputs if one["output_type"] == "error"] == []
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        committed = code_cells(read_notebook(ROOT / path))
        assert [kinds(cell["outputs"]) for cell in cells] == [
            kinds(cell.outputs) for cell in committed
        ]
        assert tab.evaluate(UNSAVED) == [str(path)]
        tab.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        assert tab.evaluate(UNSAVED) == []
    assert without_outputs(project / path) == without_outputs(ROOT / path)
    shutil.copy(ROOT / path, project / path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_is_saved_while_nobody_changed_it_and_saving_it_changes_nothing(
    path: Path, lab: Lab, project: Path, browser: Browser
) -> None:
    with opened(browser, lab) as tab:
        tab.goto(lab.page(path))
        tab.wait_for_function(READY)
        # What the kernel says of its language has arrived, and been written into the page.
        tab.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")
        assert tab.evaluate(UNSAVED) == []
        tab.evaluate("() => jupyterapp.shell.currentWidget.context.save()")
    assert (project / path).read_bytes() == (ROOT / path).read_bytes()


def targets(path: Path) -> list[str]:
    """Return where the links of a document lead, in the order in which it shows them."""
    if path.suffix == ".md":
        return without_pictures(path.read_text(encoding="utf-8"))
    found = []
    for cell in read_notebook(path).cells:
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        shown = [cell.source] if cell.cell_type == "markdown" else []
        shown += [data.get("text/markdown", "") for data in outputs]
        found += [target for text in shown for target in without_pictures(text)]
    return found


def without_pictures(markdown: str) -> list[str]:
    return [target for target in links(markdown) if not target.endswith(".png")]


def follow(tab: Page, link: Locator, target: str, document: Path) -> str | None:
    """Follow a link of `document`; return what is wrong with where it leads, or `None`."""
    parts = urlsplit(target)
    if parts.scheme:
        there = link.get_attribute("href") == target and link.get_attribute("target") == "_blank"
        return None if there else f"{target}: expected a new tab"
    path = os.path.normpath(document.parent / parts.path) if parts.path else str(document)
    viewer = VIEWERS.get(Path(path).suffix, "jp-FileEditor")
    # Headings of a document have the names that GitHub gives them, in lower case; JupyterLab has
    # others, and opens the document at its top.
    heading = unquote(parts.fragment) if viewer == "jp-Notebook" else ""
    try:
        link.click()
        tab.wait_for_function(SHOWN, arg=[path, viewer, ""])
        if heading:
            # JupyterLab looks for the heading before it has drawn any, so that a notebook opens
            # at its top. Once it is open, the link leads to the heading. Its cell is the active
            # one now, and the buttons of that may lie over it.
            tab.wait_for_function(DRAWN, arg=heading)
            tab.evaluate(BACK, str(document))
            link.dispatch_event("click")
            tab.wait_for_function(SHOWN, arg=[path, viewer, heading])
    except NotInTime:
        at = tab.evaluate("() => jupyterapp.shell.currentWidget.context?.path")
        return f"{target}: expected {path} in {viewer}, at {heading or 'its top'}; got {at}"
    return None


@pytest.mark.parametrize("path", [*NOTEBOOKS, *TEXTS], ids=lambda path: path.name)
def test_every_link_opens_what_it_names(path: Path, lab: Lab, browser: Browser) -> None:
    with opened(browser, lab) as tab:
        tab.goto(lab.page(path))
        tab.wait_for_function(SHOWN, arg=[str(path), VIEWERS[path.suffix], ""])
        name = tab.evaluate("() => jupyterapp.shell.currentWidget.id")
        page = tab.locator(f'[id="{name}"]')
        expected = targets(ROOT / path)
        expect(page.locator(LINKS)).to_have_count(len(expected), timeout=LIMIT_MS)
        tab.wait_for_function(RESOLVED, arg=[name, LINKS])
        page.evaluate(
            "(node) => node.querySelectorAll('details').forEach((one) => one.open = true)"
        )
        pictures = page.locator(".jp-RenderedMarkdown img")
        for number in range(pictures.count()):
            assert pictures.nth(number).evaluate(
                "(one) => one.decode().then(() => one.naturalWidth)"
            )
        faults = []
        for number, target in enumerate(expected):
            faults.append(follow(tab, page.locator(LINKS).nth(number), target, path))
            tab.evaluate(BACK, str(path))
        assert [fault for fault in faults if fault] == []
        assert tab.evaluate(UNSAVED) == []


def test_a_terminal_finds_the_commands_and_the_pages_commands_work_in_it(
    project: Path, browser: Browser, tmp_path: Path
) -> None:
    """A person mends a copy, as page 04 asks for; the person's shell sets a path of its own."""
    environment = (
        os.environ | hostile_home(tmp_path / "home") | {"SHELL": str(shutil.which("bash"))}
    )
    with Lab(project, tmp_path, environment) as lab, opened(browser, lab) as tab:
        tab.goto(lab.page())
        tab.wait_for_function(SHOWN, arg=["notebooks/00-post-mortem.ipynb", "jp-Notebook", ""])
        choose(tab, "File", "New", "Terminal")
        terminal = tab.locator(".xterm-accessibility")
        expect(terminal).to_contain_text("own prompt", timeout=LIMIT_MS)
        tab.keyboard.type("netra-ws --help\n")
        expect(terminal).to_contain_text(
            "Walk the golden path of any deployment.", timeout=LIMIT_MS
        )
        tab.screenshot(path=PICTURES / "lab-terminal.png")
        tab.keyboard.type("clear; netra-ws checkout buggy --into build/attempt && echo d''one\n")
        expect(terminal).to_contain_text("done", timeout=LIMIT_MS)
        mended = "build/attempt/netra_ws/routes/websocket_ssot.py"
        tab.evaluate(
            "(path) => jupyterapp.commands.execute('filebrowser:open-path', {path})", mended
        )
        tab.wait_for_function(SHOWN, arg=[mended, "jp-FileEditor", ""])
