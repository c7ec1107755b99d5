"""The HTML of a page as a person reads it, with whatever tool they read: tables, links, figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from netra_incident.report.hypertext import Heading, mark_headings

Anchors = Mapping[str, Sequence[Heading]]
"""The headings of every page of the report, by the name of its source: ``02-find-it.ipynb``."""


def page_of(source: str) -> str:
    """Return the name of the page that is made of a notebook or a Markdown file."""
    return re.sub(r"\.(ipynb|md)$", ".html", source)


def report_link(target: str, anchors: Anchors, page: str = "") -> str | None:
    """Return where a link of a page leads in the report; `None` if that lies outside of it.

    A fragment may be a heading's id in JupyterLab or on GitHub; `page` is the source of the page
    that has the link.
    """
    parts = urlsplit(target)
    if parts.scheme:
        return target
    source = parts.path or page
    if source not in anchors:
        return None
    named = (heading.anchor for heading in anchors[source] if heading.answers(parts.fragment))
    fragment = next(named, parts.fragment)
    return (page_of(parts.path) if parts.path else "") + (f"#{fragment}" if fragment else "")


def finish(html: str, anchors: Anchors, page: str) -> tuple[str, list[Heading]]:
    """Return the HTML of a page made ready for the report, and its headings.

    `page` is the name of its source.
    """
    tree = BeautifulSoup(html, "html.parser")
    found = mark_headings(tree)
    for link in tree.find_all("a", href=True):
        target = report_link(str(link["href"]), anchors, page)
        if target is None:
            link.unwrap()
        else:
            link["href"] = target
    for number, table in enumerate(tree.find_all("table"), 1):
        _mend_table(tree, table, number)
    for number, figure in enumerate(tree.find_all("figure"), 1):
        figure["id"] = f"figure-{number}"
    return str(tree), found


def _mend_table(tree: BeautifulSoup, table: Tag, number: int) -> None:
    """Drop an empty head, make an empty heading a cell, and let a wide table scroll by itself."""
    head = table.find("thead")
    if isinstance(head, Tag) and not head.get_text(strip=True):
        head.decompose()
    for cell in table.find_all("th"):
        if not cell.get_text(strip=True):
            cell.name = "td"
            del cell["scope"]
    # Whatever scrolls must be reached by the keyboard (WCAG 2.1.1), and then it needs a name.
    frame = tree.new_tag(
        "div",
        attrs={
            "class": "table",
            "role": "group",
            "tabindex": "0",
            "aria-label": f"Table {number}",
        },
    )
    table.wrap(frame)
