"""Whether the words of an installed type checker are still those that an audit reads.

The rules and messages of a type checker change from release to release. An audit that no longer
understands them finds nothing, and nothing looks like a clean project. So a version that was not
tested is first asked about lines whose faults are known.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from await_audit.engines import Settings
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.errors import PreventionError

TESTED = {"pyrefly": "1.5.0", "pyright": "1.1.414"}
"""The versions that the tests of this project run with, which are those of its lock."""

PACKAGES = {"pyrefly": "pyrefly", "pyright": "pyright[nodejs]"}
"""What pip calls them."""

KNOWN = (
    ("async def load(): return 1", None),
    ("def plain(): return 1", None),
    ("async def main():", None),
    ("    await plain()", Symptom.NOT_AWAITABLE),
    ("    load()", Symptom.DROPPED),
    ("    async with plain(): pass", Symptom.NOT_ASYNC_CONTEXT),
    ("    async for item in [1]: pass", Symptom.NOT_ASYNC_ITERABLE),
    ("    reveal_type(plain())", Symptom.REVEALED),
)
"""Lines, and what is wrong with each."""


class TypeChecker(Protocol):
    """What an engine is, as a module."""

    NAME: str

    def version(self) -> str:
        """Return the installed version."""

    def check(
        self, files: Sequence[Path], settings: Settings, texts: Mapping[Path, str] | None = None
    ) -> list[Diagnostic]:
        """Return what it says of the files."""


def check_known(engine: TypeChecker) -> None:
    """Raise PreventionError if this version was not tested and does not say what is known."""
    installed = engine.version()
    if installed == TESTED[engine.NAME]:
        return
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        path = Path(folder).resolve() / "known.py"
        path.write_text("".join(f"{line}\n" for line, _ in KNOWN), encoding="utf-8")
        said = engine.check([path], Settings(Path(sys.executable), ()))
    found = {(one.span.line, one.symptom) for one in said}
    known = {(number, symptom) for number, (_, symptom) in enumerate(KNOWN, 1) if symptom}
    if not known <= found:
        raise unreadable(engine.NAME, installed)


def unreadable(name: str, installed: str) -> PreventionError:
    """Return the error that says which versions can be read instead."""
    tested = " and ".join(f"{name} {version}" for name, version in TESTED.items())
    return PreventionError(
        f"what {name} {installed} says cannot be read; tested with {tested}: "
        f"pip install '{PACKAGES[name]}=={TESTED[name]}'"
    )
