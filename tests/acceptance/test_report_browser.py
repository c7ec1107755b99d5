"""The report in a real browser: Chromium, without a window, judged by axe.

The report is made of the notebooks as they are committed. Pictures of all pages are kept in
build/screenshots. What the pages say: tests/integration/test_walkthrough.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from limits import HANG_S
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from netra_incident.case import told_case
from netra_incident.report.html import GLOSSARY, write_report
from netra_incident.report.notebooks import find_notebooks, read_notebook
from netra_incident.report.page import Page

ROOT = Path(__file__).parents[2]
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
PICTURES = ROOT / "build" / "screenshots"
WIDE, NARROW = (1280, 900), (420, 900)
LIMIT_MS = 1000 * HANG_S
TERMS = "# Glossary\n\n## await\n\nWhat [page 01](01-what-await-does.ipynb) is about.\n"
"""A glossary, so that its page is looked at even where the notebooks have none."""

NAMES = ["index", *(path.stem for path in NOTEBOOKS), "glossary"]
SCHEMES = ("light", "dark")

CLIPPED = """() => [...document.querySelectorAll("main *")]
  .filter((one) => !one.closest(".table") && !one.closest("details:not([open]) > :not(summary)"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""
"""What reaches beyond the window, but for tables, which scroll by themselves."""

HIDDEN = """() => [...document.querySelectorAll("details > :not(summary)")]
  .filter((one) => !one.checkVisibility({contentVisibilityAuto: true}))
  .map((one) => one.textContent.slice(0, 40))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pages = [Page(path.stem, read_notebook(path)) for path in NOTEBOOKS]
    terms = ROOT / "notebooks" / GLOSSARY
    glossary = terms.read_text(encoding="utf-8") if terms.exists() else TERMS
    return write_report(told_case(), pages, tmp_path_factory.mktemp("report"), glossary).parent


@contextmanager
def opened(browser: Browser, path: Path, scheme: str = "light") -> Iterator[tuple[Tab, list[str]]]:
    """Yield a page of the report, and whatever it asks for, itself included."""
    viewport = {"width": WIDE[0], "height": WIDE[1]}
    with browser.new_page(color_scheme=scheme, viewport=viewport) as tab:
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        yield tab, asked


def set_width(tab: Tab, size: tuple[int, int]) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_accessible_and_fits(
    browser: Browser, folder: Path, name: str, scheme: str
) -> None:
    """All rules of axe: WCAG A and AA, and the best practices as well."""
    path = folder / f"{name}.html"
    with opened(browser, path, scheme) as (tab, asked):
        PICTURES.mkdir(parents=True, exist_ok=True)
        for size in (WIDE, NARROW):
            set_width(tab, size)
            picture = PICTURES / f"report-{name}-{scheme}-{size[0]}.png"
            tab.screenshot(path=picture, full_page=True)
            tab.eval_on_selector_all("details", "(all) => all.forEach((d) => d.open = true)")
            results = Axe().run(tab)
            assert results.violations_count == 0, results.generate_report()
            assert {rule["id"] for rule in results.response["passes"]} >= {
                "color-contrast",
                "heading-order",
                "page-has-heading-one",
                "region",
                "skip-link",
            }
            assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
            assert tab.evaluate(CLIPPED) == []
            tab.eval_on_selector_all("details", "(all) => all.forEach((d) => d.open = false)")
        assert {url.partition(":")[0] for url in asked} <= {"file", "data"}, asked
        assert path.as_uri() in asked


@pytest.mark.parametrize("name", NAMES)
def test_a_print_shows_what_is_folded_and_no_bars(
    browser: Browser, folder: Path, name: str
) -> None:
    with opened(browser, folder / f"{name}.html", "dark") as (tab, _):
        folded = tab.locator("details").count()
        assert len(tab.evaluate(HIDDEN)) >= folded
        tab.emulate_media(media="print")
        tab.wait_for_function(f"({HIDDEN})().length === 0", timeout=LIMIT_MS)
        for part in ("header", "nav", "footer"):
            for found in tab.locator(part).all():
                assert not found.is_visible(), part
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
        assert (tab.pdf(path=PICTURES / f"report-{name}.pdf")).startswith(b"%PDF")


def test_the_contents_lead_to_the_headings_and_figures(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "index.html") as (tab, _):
        targets = tab.eval_on_selector_all("main a", "(all) => all.map((a) => a.href)")
        for target in [one for one in targets if ".html#" in one]:
            tab.goto(target)
            assert tab.evaluate("!!document.querySelector(':target')"), target
    assert sum("#figure-" in target for target in targets) >= 8


def test_the_first_tab_stop_skips_to_the_text(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / f"{NOTEBOOKS[2].stem}.html") as (tab, _):
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "main"
