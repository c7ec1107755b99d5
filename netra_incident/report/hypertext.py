"""What a Markdown text links to, and the headings that a link can name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from nbconvert.filters import markdown2html

LEVELS = ("h1", "h2", "h3", "h4", "h5", "h6")


def lab_anchor(text: str) -> str:
    """Return the id that JupyterLab gives a heading with this text, and nbconvert as well."""
    return text.replace(" ", "-")


def github_anchor(text: str) -> str:
    """Return the id that GitHub gives a heading with this text in a Markdown file.

    https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
    """
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@dataclass(frozen=True)
class Heading:
    """A heading: its level from 1 to 6, its text and its id, unique on its page."""

    level: int
    text: str
    anchor: str

    def answers(self, fragment: str) -> bool:
        """Say whether a link with this fragment means the heading, in JupyterLab or on GitHub."""
        return unquote(fragment) in {self.anchor, github_anchor(self.text)}


def read_markdown(text: str) -> BeautifulSoup:
    """Return Markdown as a tree of HTML."""
    return BeautifulSoup(str(markdown2html(text)), "html.parser")


def mark_headings(tree: Tag) -> list[Heading]:
    """Give every heading of a page its id and the level that its place allows; return them all.

    No level is skipped, and only the first heading is of level 1: so a screen reader can list them
    (WCAG 2.2, technique G141). A second heading with the text of another is numbered.
    """
    found: list[Heading] = []
    taken: set[str] = set()
    for tag in tree.find_all(LEVELS):
        for link in tag.find_all("a", class_="anchor-link"):
            link.decompose()
        text = tag.get_text()
        wanted = int(tag.name[1])
        level = min(max(wanted, 2), found[-1].level + 1) if found else 1
        anchor, number = lab_anchor(text), 1
        while anchor in taken:
            number += 1
            anchor = f"{lab_anchor(text)}-{number}"
        taken.add(anchor)
        tag.name = f"h{level}"
        tag["id"] = anchor
        found.append(Heading(level, text, anchor))
    return found


def headings(markdown: str) -> list[Heading]:
    """Return the headings of a Markdown text."""
    return mark_headings(read_markdown(markdown))


def links(markdown: str) -> list[str]:
    """Return the targets of all links and pictures of a Markdown text, in their order."""
    names = {"a": "href", "img": "src"}
    tags = read_markdown(markdown).find_all(list(names))
    targets = [tag.get(names[tag.name]) for tag in tags if "anchor-link" not in _classes(tag)]
    return [str(target) for target in targets if target]


def _classes(tag: Tag) -> list[str]:
    return list(tag.get_attribute_list("class"))
