"""No wrong edit: programs in which something stands against what the type checker says.

A program is a file in ``tests/audit/.traps``, or a folder with a ``main.py``; its docstring says
what is wrong with it. It ends well as it is, and so it must after the fix, with the same output.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.editing.fix import propose

TRAPS = Path(__file__).parent / ".traps"
KINDS = sorted(kind.name for kind in TRAPS.iterdir())
LEAST_OF_A_KIND = 4
WAIT_S = 60


def outcome(folder: Path) -> tuple[int, str]:
    """Run a program; return its exit code and its output."""
    command = [sys.executable, "-W", "ignore", "main.py"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    return run.returncode, run.stdout


def copied(kind: str, into: Path) -> list[Path]:
    """Copy the programs of a kind, each as a project of its own; return their folders."""
    folders = []
    for program in sorted((TRAPS / kind).iterdir()):
        folder = into / program.stem
        folder.mkdir()
        if program.is_dir():
            shutil.copytree(program, folder, dirs_exist_ok=True)
        else:
            shutil.copy(program, folder / "main.py")
        (folder / "pyproject.toml").touch()
        folders.append(folder)
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_ends_well_does_so_after_the_fix(kind: str, tmp_path: Path) -> None:
    folders = copied(kind, tmp_path)
    assert len(folders) >= LEAST_OF_A_KIND
    with ThreadPoolExecutor() as pool:
        before = dict(zip(folders, pool.map(outcome, folders), strict=True))
    assert [folder.name for folder in folders if before[folder][0] != 0] == []
    changed = [fix for fix in propose(audit(folders, root=tmp_path)) if fix.changed]
    for fix in changed:
        fix.path.write_bytes(fix.after)
    edited = {folder for fix in changed for folder in folders if fix.path.is_relative_to(folder)}
    assert [one.name for one in edited if outcome(one) != before[one]] == []


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
    assert fix.after.decode() == PLAIN[name].replace("await ", "")


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
