"""What is generated in the documents: stale sections are named, and renewed by one command."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from docs.__main__ import stale
from docs.image import Image

TEXT = """\
# Page

<!-- docs/made.py: number -->
{inside}<!-- end -->

Written by hand.
"""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of docs/ that makes a section and a picture."""
    module = ModuleType("docs.made")
    module.__dict__.update(number=lambda: "one", a_picture=lambda: Image("a dot", b"png"))
    monkeypatch.setitem(sys.modules, "docs.made", module)
    return module


@pytest.fixture
def root(tmp_path: Path, made: ModuleType) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(TEXT.format(inside=""), encoding="utf-8")
    return tmp_path


def read(root: Path) -> str:
    return (root / "docs" / "page.md").read_text(encoding="utf-8")


def test_a_stale_section_is_named_and_left_as_it_is(root: Path) -> None:
    assert stale(root, renew=False) == ["docs/page.md: <!-- docs/made.py: number -->"]
    assert read(root) == TEXT.format(inside="")


def test_a_stale_section_is_renewed_and_nothing_else(root: Path, made: ModuleType) -> None:
    assert len(stale(root, renew=True)) == 1
    assert read(root) == TEXT.format(inside="\none\n\n")
    assert stale(root, renew=False) == stale(root, renew=True) == []
    made.__dict__["number"] = lambda: "two"
    assert len(stale(root, renew=False)) == 1
    stale(root, renew=True)
    assert read(root) == TEXT.format(inside="\ntwo\n\n")


def test_what_was_changed_by_hand_is_stale(root: Path) -> None:
    stale(root, renew=True)
    (root / "docs" / "page.md").write_text(read(root).replace("one", "0ne"), encoding="utf-8")
    assert len(stale(root, renew=False)) == 1


def test_a_picture_is_kept_beside_the_pages(root: Path) -> None:
    readme, picture = root / "README.md", root / "docs" / "a-picture.png"
    readme.write_text("<!-- docs/made.py: a_picture --><!-- end -->\n", encoding="utf-8")
    stale(root, renew=True)
    assert picture.read_bytes() == b"png"
    assert "\n![a dot](docs/a-picture.png)\n" in readme.read_text(encoding="utf-8")
    assert stale(root, renew=False) == []
    picture.unlink()
    assert len(stale(root, renew=False)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<!-- docs/made.py: number -->",
        "<!-- end -->",
        "<!-- docs/made.py: number -->\n<!-- docs/made.py: number -->\n<!-- end -->",
        "<!-- docs/made.py number -->\n<!-- end -->",
    ],
    ids=["no end", "no beginning", "one in another", "misspelt"],
)
def test_a_section_that_is_not_whole_is_said(root: Path, text: str) -> None:
    (root / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"README.md: expected <!-- end --> after each"):
        stale(root, renew=True)


@pytest.mark.parametrize("maker", ["made.py: nothing", "nowhere.py: number"])
def test_a_section_that_nothing_makes_is_said(root: Path, maker: str) -> None:
    (root / "README.md").write_text(f"<!-- docs/{maker} --><!-- end -->", encoding="utf-8")
    with pytest.raises(ValueError, match=r"README.md: expected what makes"):
        stale(root, renew=True)
