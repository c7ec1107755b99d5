"""What `fix` mends, and what it leaves because the project says otherwise.

The programs in which something stands against an edit: tests/acceptance/test_traps.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.editing.fix import propose

PLAIN = {
    "override": """\
class Base:
    def close(self) -> int:
        return 1


class Real(Base):
    def close(self):
        return 2


async def shut(one: Base) -> int:
    return await one.close()
""",
    "attribute": """\
class Mailer:
    def send(self) -> int:
        return 1


class Desk:
    def __init__(self, mailer: Mailer) -> None:
        self.mailer = mailer

    async def use(self) -> int:
        return await self.mailer.send()
""",
    "container": """\
class Desks:
    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, key: str) -> str:
        if key not in self._names:
            self._names[key] = key.upper()
        return self._names[key]


async def use(desks: Desks) -> str:
    return await desks.name("a")
""",
    "computed names": """\
class Desk:
    def __init__(self, **options: int) -> None:
        for option, value in options.items():
            setattr(self, f"option_{option}", value)
        for name in ("first", "last"):
            setattr(self, name, 0)

    def close(self) -> int:
        return 1


async def use() -> int:
    return await Desk(width=1).close()
""",
    "keys of a dictionary": """\
class Redirect:
    def __init__(self, stream) -> None:
        self._stream = stream
        self._kept = {}

    def __enter__(self) -> None:
        for name in ("write", "flush"):
            self._kept[name] = getattr(self._stream, name)

    def __exit__(self, *error: object) -> None:
        for name, kept in self._kept.items():
            setattr(self._stream, name, kept)


class Desk:
    def close(self) -> int:
        return 1

    async def use(self) -> int:
        return await self.close()
""",
    "metaclass": """\
KINDS = {}


class Registered(type):
    def __new__(mcs, name, bases, namespace):
        namespace["kind"] = name
        made = super().__new__(mcs, name, bases, namespace)
        KINDS[name] = made
        return made


class Desk(metaclass=Registered):
    def close(self) -> int:
        return 1

    async def use(self) -> int:
        return await self.close()
""",
    "server": """\
import logging


def value() -> int:
    return 1


async def handle() -> int:
    try:
        return await value()
    except Exception:
        logging.exception("a request failed")
        raise SystemExit(1) from None


async def serve(handlers) -> None:
    for handler in handlers:
        await handler()
""",
    "another block of the function": """\
def value() -> int:
    return 1


async def use(text: str) -> int:
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = 0
    return number + await value()
""",
    "proxy": """\
class Proxy:
    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class Desk:
    def close(self) -> int:
        return 1


async def use(desk: Desk) -> int:
    return await desk.close()
""",
    "handler": """\
import asyncio


def value() -> int:
    return 1


async def use() -> int:
    try:
        return await value()
    except asyncio.TimeoutError:
        return 2
    except Exception:
        raise
""",
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_nothing_stands_against_is_mended(name: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "main.py"
    path.write_text(PLAIN[name], encoding="utf-8")
    (fix,) = propose(audit([path], root=tmp_path))
    assert fix.after.decode() == re.sub(r"await (?!handler)", "", PLAIN[name])


def test_an_override_in_a_file_that_was_not_given_counts(tmp_path: Path) -> None:
    """The project is what stands below the nearest `pyproject.toml`."""
    (tmp_path / "pyproject.toml").touch()
    for name in ("src", "plugins"):
        (tmp_path / name).mkdir()
    caller = tmp_path / "src" / "base.py"
    caller.write_text(PLAIN["override"], encoding="utf-8")
    (tmp_path / "plugins" / "late.py").write_text(
        "from base import Base\n\n\nclass Late(Base):\n    async def close(self):\n        ...\n",
        encoding="utf-8",
    )
    (fix,) = propose(audit([caller], root=caller.parent))
    assert not fix.changed
    assert "not certain" in fix.left[0].why
