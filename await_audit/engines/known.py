"""Whether the words of an installed type checker are still those that an audit reads.

The rules and messages of a type checker change from release to release. An audit that no longer
understands them finds nothing, and nothing looks like a clean project. So a version that was not
tested is first asked about lines whose faults are known.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from await_audit.engines import Settings
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.errors import AuditError

TESTED = {"pyrefly": "1.5.0", "pyright": "1.1.414"}
"""The versions that the tests of this project run with, which are those of its lock."""

PACKAGES = {"pyrefly": "pyrefly", "pyright": "pyright[nodejs]"}
"""What pip calls them."""

KNOWN = (
    ("import asyncio", None),
    ("import no_such_module", Symptom.UNRESOLVED_IMPORT),
    ("from asyncio import no_such_name", Symptom.UNRESOLVED_IMPORT),
    ("async def load(): return 1", None),
    ("def plain(number: int = 1) -> int: return number", None),
    ("async def main():", None),
    ("    await plain()", Symptom.NOT_AWAITABLE),
    ("    load()", Symptom.DROPPED),
    ("    async with plain(): pass", Symptom.NOT_ASYNC_CONTEXT),
    ("    async for item in [1]: pass", Symptom.NOT_ASYNC_ITERABLE),
    ("    reveal_type(plain())", Symptom.REVEALED),
    ("    asyncio.create_task(plain())", Symptom.NOT_COROUTINE_ARGUMENT),
    ("    await asyncio.gather(plain(), load())", Symptom.NOT_COROUTINE_ARGUMENT),
    ("    await asyncio.wait_for(plain(), 1)", Symptom.NOT_COROUTINE_ARGUMENT),
    ("    await asyncio.wait([plain()])", Symptom.NOT_COROUTINE_ARGUMENT),
    ("    for item in load(): pass", Symptom.MISUSED),
    ("    with load(): pass", Symptom.MISUSED),
    ("    load().real", Symptom.MISUSED),
)
"""Lines, and what is wrong with each."""

KNOWN_TO_PYREFLY = (
    ("    load() + 1", Symptom.MISUSED),
    ("    number: int = load()", Symptom.MISUSED),
    ("    plain(load())", Symptom.MISUSED),
    ("    len(load())", Symptom.MISUSED),
)
"""Lines after those, of which pyright is not asked; nor is it of imports and syntax."""

BROKEN = "def f(:\n"
"""Another module, that no type checker can judge."""


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
    """Raise AuditError if this version was not tested and does not say what is known."""
    installed = engine.version()
    if installed == TESTED[engine.NAME]:
        return
    lines = [*KNOWN, *KNOWN_TO_PYREFLY]
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        module, broken = (Path(folder).resolve() / name for name in ("known.py", "broken.py"))
        module.write_text("".join(f"{line}\n" for line, _ in lines), encoding="utf-8")
        broken.write_text(BROKEN, encoding="utf-8")
        said = engine.check([module, broken], Settings(Path(sys.executable), ()))
    found = {(one.path, one.span.line, one.symptom) for one in said}
    known = {(module, line, symptom) for line, (_, symptom) in enumerate(lines, 1) if symptom}
    if engine.NAME == "pyrefly":
        known.add((broken, 1, Symptom.SYNTAX_ERROR))
    else:
        no_import = Symptom.UNRESOLVED_IMPORT
        known = {one for one in known if one[1] <= len(KNOWN) and one[2] is not no_import}
    if not known <= found:
        raise unreadable(engine.NAME, installed)


FORM = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading an answer raises that has another form than it had."""


@contextmanager
def readable(name: str, installed: str) -> Iterator[None]:
    """Turn what an answer of an unexpected form raises into the error that says so."""
    try:
        yield
    except FORM as error:
        raise unreadable(name, installed) from error


def failed(name: str, installed: str, why: str) -> AuditError:
    """Return the error for a type checker that did not do its work."""
    if installed == TESTED[name]:
        return AuditError(f"{name} {why}")
    return AuditError(f"{name} {installed} {why}; {_tested(name)}")


def unreadable(name: str, installed: str) -> AuditError:
    """Return the error that says which versions can be read instead."""
    return AuditError(f"what {name} {installed} says cannot be read; {_tested(name)}")


def _tested(name: str) -> str:
    tested = " and ".join(f"{one} {version}" for one, version in TESTED.items())
    return f"tested with {tested}: pip install '{PACKAGES[name]}=={TESTED[name]}'"
