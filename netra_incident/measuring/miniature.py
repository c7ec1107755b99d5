"""The bug in miniature: four awaits that raise, one that does not, for any tool to be tried on."""

from __future__ import annotations

import re
from pathlib import Path

STOCK = '''"""A shelf, and two ways to one: all of it synchronous."""


class Shelf:
    """What is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name


class Store:
    """Has shelves."""

    def shelf(self, name: str) -> Shelf:
        """Return a shelf."""
        return Shelf(name)


def get_shelf(name: str) -> Shelf:
    """Return a shelf."""
    return Shelf(name)
'''

SHOP = '''"""A subclass, and a name under which the factory is exported again."""

from stock import Store, get_shelf

make_shelf = get_shelf


class Shop(Store):
    """A store."""


async def open_shop(name: str) -> Shop:
    """Return a shop; this one is to be awaited."""
    return Shop()
'''

CALLERS = '''"""Four awaits that raise `TypeError`, and one that does not."""

from shop import Shop, make_shelf, open_shop
from stock import Shelf, Store, get_shelf


async def by_function(name: str) -> Shelf:
    return await get_shelf(name)


async def by_method(name: str) -> Shelf:
    return await Store().shelf(name)


async def by_another_name(name: str) -> Shelf:
    return await make_shelf(name)


async def by_inheritance(name: str) -> Shelf:
    return await Shop().shelf(name)


async def as_it_should_be(name: str) -> Shop:
    return await open_shop(name)
'''

WRONG = frozenset(
    number
    for number, line in enumerate(CALLERS.splitlines(), 1)
    if "await " in line and "open_shop" not in line
)
"""The lines of `CALLERS` that raise."""

MINIATURES = ("annotated", "un-annotated", "imports are unresolved")
"""The kinds of code: the same callers thrice."""

STEMS = ("annotated", "bare", "unresolved")
"""How the files of each kind end, before their suffix."""

CALLERS_FILES = tuple(f"callers_{stem}.py" for stem in STEMS)

ELSEWHERE = "elsewhere"
"""The folder of what the callers import, where a tool is not told of it."""


def _bare(source: str) -> str:
    """Return the source without its annotations."""
    return re.sub(r"(\w): str", r"\1", re.sub(r"(?<=\)) -> \w+(?=:)", "", source))


def write(folder: Path) -> None:
    """Write all miniatures into an empty folder."""
    (folder / ELSEWHERE).mkdir()
    for stem in STEMS:
        for name, source in (("callers", CALLERS), ("shop", SHOP), ("stock", STOCK)):
            is_hidden = stem == "unresolved" and name != "callers"
            path = (folder / ELSEWHERE if is_hidden else folder) / f"{name}_{stem}.py"
            source = re.sub(r"(?<=^from )\w+", rf"\g<0>_{stem}", source, flags=re.MULTILINE)
            path.write_text(_bare(source) if stem == "bare" else source, encoding="utf-8")
