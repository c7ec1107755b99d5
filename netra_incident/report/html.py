"""The post-mortem as pages: one for each notebook, a glossary and a contents page.

They need no network and no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import HTMLExporter

from netra_incident.case import Case
from netra_incident.report.hypertext import Heading, headings, read_markdown
from netra_incident.report.markup import Anchors, finish
from netra_incident.report.minutes import ACTIONS, POST_MORTEM, write_minutes
from netra_incident.report.page import Page, headline

PAGES = Path(__file__).parent / "pages"

GLOSSARY = "glossary.md"
"""The file beside the notebooks that becomes a page as well."""


def _headings(page: Page) -> list[Heading]:
    cells = [cell.source for cell in page.body.cells if cell.cell_type == "markdown"]
    return headings("\n\n".join(cells))


class Report:
    """The pages of one report, in the making."""

    def __init__(self, case: Case, pages: Sequence[Page], glossary: str | None = None) -> None:
        self.case = case
        self.pages = pages
        self.glossary = glossary
        self._anchors: Anchors = {f"{page.name}.ipynb": _headings(page) for page in pages}
        if glossary is not None:
            self._anchors = {**self._anchors, GLOSSARY: headings(glossary)}
        environment = Environment(
            loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined
        )
        environment.globals |= {
            "case": case,
            "pages": pages,
            "has_glossary": glossary is not None,
            "style": (PAGES / "page.css").read_text(encoding="utf-8"),
        }
        self._environment = environment
        self._exporter = HTMLExporter(
            template_name="post_mortem",
            extra_template_basedirs=[str(PAGES)],
            exclude_anchor_links=True,
        )

    def page(self, number: int) -> str:
        """Return the HTML of one page."""
        page = self.pages[number]
        body, _ = self._exporter.from_notebook_node(page.body, resources={"page": page})
        return self._render(
            "page.html.j2",
            source=f"{page.name}.ipynb",
            body=body,
            page=page,
            previous=self.pages[number - 1] if number else None,
            next=self.pages[number + 1] if number + 1 < len(self.pages) else None,
        )

    def glossary_page(self, glossary: str) -> str:
        """Return the HTML of the glossary."""
        return self._render("glossary.html.j2", source=GLOSSARY, body=str(read_markdown(glossary)))

    def contents(self) -> str:
        """Return the HTML of the contents page.

        Raises `LookupError` if no page compares before and after.
        """
        measured = headline(self.pages)
        sections = {
            page.name: [one for one in self._anchors[f"{page.name}.ipynb"] if one.level == 2]
            for page in self.pages
        }
        return self._render(
            "contents.html.j2",
            source="index.html",
            body=measured.table._repr_html_(),
            measured=measured.page,
            sections=sections,
            downloads=[POST_MORTEM, ACTIONS],
        )

    def _render(self, template: str, *, source: str, body: str, **names: Any) -> str:
        html, found = finish(body, self._anchors, source)
        return self._environment.get_template(template).render(body=html, headings=found, **names)


def write_report(
    case: Case, pages: Sequence[Page], folder: Path, glossary: str | None = None
) -> Path:
    """Write all pages and the minutes into `folder` and return the path of the contents page.

    `glossary` is the text of `GLOSSARY`, if there is one. Raises `LookupError` if no page compares
    before and after, or if the case names a cell as evidence that no page has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(case, pages, glossary)
    for number, page in enumerate(pages):
        (folder / f"{page.name}.html").write_text(report.page(number), encoding="utf-8")
    if glossary is not None:
        (folder / "glossary.html").write_text(report.glossary_page(glossary), encoding="utf-8")
    write_minutes(case, pages, folder)
    index = folder / "index.html"
    index.write_text(report.contents(), encoding="utf-8")
    return index
