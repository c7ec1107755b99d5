"""What an audit finds, what it is certain of, and what it says that it could not judge."""

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from command import in_process
from processes import netra_ws

from await_audit.audit import audit
from await_audit.engines import Engine
from await_audit.finding import Kind

PYTHON = Path(sys.executable)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def write(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


def judged(folder: Path, **modules: str):
    write(folder, **modules)
    return audit([folder], python=PYTHON, root=folder)


def marked(report, word: str = "await-sync") -> list[tuple[str, int, bool]]:
    """List the findings of a kind by file, line and certainty."""
    return [
        (found.path.stem, found.span.line, found.certain)
        for found in report.findings
        if found.kind == word
    ]


def expected(folder: Path) -> list[tuple[str, int, bool]]:
    """List the lines that say `# certain` or `# reported`."""
    return [
        (path.stem, number, line.endswith("# certain"))
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith(("# certain", "# reported"))
    ]


def test_a_finding_says_what_where_and_why(project):
    report = judged(
        project,
        factory="\n\ndef make():\n    return Manager()\n\nclass Manager: pass\n",
        door="from factory import make as get_manager\n",
        app="import door\n\nasync def main():\n    return (await door.get_manager())\n",
    )
    (found,) = report.findings
    assert (found.path, found.kind, found.rule) == (
        project / "app.py",
        Kind.AWAIT_SYNC,
        "await-of-non-awaitable",
    )
    assert (found.span.line, found.span.column, found.span.end_column) == (4, 12, 36)
    assert found.operand
    assert (found.operand.column, found.operand.end_column) == (18, 36)
    assert (found.message, found.operand_type) == ("`Manager` is not awaitable", "Manager")
    assert (found.engines, found.certain) == (("pyrefly",), True)
    assert found.definition
    assert (found.definition.path, found.definition.line) == (project / "factory.py", 3)
    assert found.definition.why == "`get_manager` is a `def`, so it returns `Manager` at once"
    assert (report.exit_code, report.interpreter) == (1, PYTHON)
    assert [name for name, _ in report.engines] == ["pyrefly"]


CALLS = """\
import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import lru_cache, wraps
from typing import Any, Awaitable, Protocol, TypeVar

T = TypeVar("T")

class Store:
    name = "store"
    def load(self): return 1
    def save(self, item): return item
    @property
    def size(self): return 2
    @staticmethod
    def made() -> "Store": return Store()

class Base:
    def both(self) -> int: return 1
    def one(self) -> int: return 1

class Other(Base):
    async def both(self) -> int: return 1

class Shape(Protocol):
    def area(self) -> int: ...

class Square:
    async def area(self) -> int: return 1

class Ticket:
    def __await__(self): yield

class Paper: pass

class Signed(Paper):
    def __await__(self): yield

def plain() -> int: return 1
def either(flag) -> int | Awaitable[int]: ...
def values(flag) -> int | None: ...
def anything() -> Any: ...
def thing() -> object: ...
def connect() -> AbstractAsyncContextManager[int]: ...
def paper() -> Paper: ...
def same(value: T) -> T: return value
def handed(value): return value
def piped(left, right): return left | right
def counted(items): return len(items)
def patched() -> int: return 1
@lru_cache
def cached() -> int: return 1
@contextmanager
def opened(): yield 1
@asynccontextmanager
async def connected(): yield 1
async def made(): return 1
async def rows(): yield 1
def lying() -> int: return made()

async def main(flag, shape: Shape, base: Base, unknown):
    await plain()  # certain
    await (plain())  # certain
    await Store()  # certain
    await Store().load()  # certain
    await Store.made().save(1)  # certain
    await base.one()  # certain
    await cached()  # certain
    await values(flag)  # certain
    await same(1)  # certain
    await handed(1)  # certain
    await counted(unknown)  # certain
    await base.both()  # reported
    await shape.area()  # reported
    await paper()  # reported
    await lying()  # reported
    await patched()  # reported
    await Store().size  # reported
    await plain  # reported
    await made  # reported
    await opened()  # reported
    await connected()  # reported
    await rows()  # reported
    await [made()]  # reported
    value = plain()
    await value  # reported
    await made()
    await Ticket()
    await either(flag)
    await anything()
    await thing()
    await connect()
    await unknown
    await handed(unknown)
    await handed(made())
    await piped(unknown, 1)
    await (plain() if flag else made())
    async def same_again(item: T): await item
"""


def test_it_is_certain_of_what_cannot_be_awaitable_and_of_nothing_else(project):
    report = judged(project, app=CALLS, other="import app\napp.patched = app.made\n")
    assert marked(report) == expected(project)
    assert report.unjudged == ()


HIDDEN = """\
async def made() -> int: return 1

class Manager:
    def start(self) -> "Manager": return self
    def stop(self) -> None: ...
    async def drain(self) -> None: ...

def get_manager(): return Manager()
def perhaps(flag): return Manager() if flag else made()

async def main(flag):
    manager = await get_manager()  # certain
    await manager.start()  # certain
    await (await manager.start()).stop()  # certain
    await manager.drain()
    manager.drain()
    other = await perhaps(flag)
    await other.stop()
    other.real
"""


def test_what_a_wrong_await_hides_is_found_behind_it(project):
    report = judged(project, app=HIDDEN)
    lines = [line for _, line, _ in marked(report)]
    assert lines == [12, 13, 14, 14]
    assert all(certain for _, _, certain in marked(report))
    assert [line for _, line, _ in marked(report, "unawaited")] == [16]


ASYNCIO = """\
import asyncio
from contextlib import contextmanager

def plain() -> int: return 1
async def made() -> int: return 1
@contextmanager
def opened(): yield 1

async def main():
    async with opened(): pass  # reported
    async for one in [1, 2]: pass
    print([one async for one in [1, 2]])
    await asyncio.gather(
        made(),
        plain(),  # certain
    )
    asyncio.create_task(plain())  # certain
    await asyncio.wait_for(plain(), 1)  # certain
    async with asyncio.TaskGroup() as group:
        group.create_task(plain())  # certain
    await asyncio.gather(made(), return_exceptions=True)

def start():
    asyncio.run(plain())  # certain
"""


def test_what_awaits_in_other_words_is_found(project):
    report = judged(project, app=ASYNCIO)
    rules = {found.span.line: found.rule for found in report.findings}
    assert {line: rules.pop(line) for line in (10, 11, 12)} == {
        10: "async-with-of-non-async-context-manager",
        11: "async-for-of-non-async-iterable",
        12: "async-for-of-non-async-iterable",
    }
    assert sorted(rules) == [line for _, line, _ in expected(project) if line != 10]
    assert set(rules.values()) == {"non-awaitable-argument"}


UNAWAITED = """\
import asyncio

async def made() -> list[int]: return [1]
def length(items: list[int]) -> int: return len(items)

async def main():
    made()
    asyncio.sleep(1)
    if made(): pass
    for one in made(): pass
    made()[0]
    length(made())
    made().append(1)
    task = asyncio.create_task(made())
    await task
    later = made()
    await later

def shape() -> int:
    return made()
"""


def test_a_coroutine_that_nobody_awaits_is_found(project):
    report = judged(project, app=UNAWAITED)
    assert [line for _, line, _ in marked(report, "unawaited")] == [7, 8, 9, 10, 11, 12, 13, 20]
    assert marked(report) == []


def test_a_second_opinion_is_certain_of_a_decorated_function(project):
    write(
        project,
        app=(
            "from functools import wraps\n"
            "def noisy(function):\n"
            "    @wraps(function)\n"
            "    def inner(*args): return function(*args)\n"
            "    return inner\n"
            "@noisy\n"
            "def plain() -> int: return 1\n"
            "async def main():\n"
            "    await plain()\n"
        ),
    )
    pytest.importorskip("pyright")
    report = audit([project], python=PYTHON, root=project, engine=Engine.BOTH)
    assert [name for name, _ in report.engines] == ["pyrefly", "pyright"]
    assert "pyright" in report.findings[0].engines
    assert marked(report) == [("app", 9, len(report.findings[0].engines) == 2)]


def test_what_is_not_utf_8_is_judged_by_its_coding_line(project):
    text = "# coding: latin-1\nasync def main():\n    return 'é', await 1\n"
    (project / "app.py").write_bytes(text.encode("latin-1"))
    (found,) = audit([project], python=PYTHON, root=project).findings
    assert (found.span.line, found.span.column) == (3, 16)


def test_what_could_not_be_judged_is_said(project):
    report = judged(
        project,
        app="import nowhere\nfrom nowhere import thing\nasync def main():\n    await thing()\n",
        broken="async def main(:\n    await 1\n",
    )
    said = {(place.path.name, place.line, place.why.partition(":")[0]) for place in report.unjudged}
    assert said == {
        ("app.py", 1, "the import of nowhere was not resolved"),
        ("app.py", 2, "the import of nowhere was not resolved"),
        ("broken.py", 1, "it has a syntax error"),
    }
    assert (report.findings, report.exit_code) == ((), 2)


def test_a_line_is_silenced_for_one_kind_and_an_ignore_that_silences_nothing_is_said(project):
    report = judged(
        project,
        app=(
            "async def main():\n"
            "    await 1  # netra: ignore[await-sync]\n"
            "    await (\n"
            "        2\n"
            "    )  # netra: ignore[await-sync, unawaited]\n"
            "    await 3  # netra: ignore[unawaited]\n"
            "    await 4  # netra: ignore\n"
            "    await 5  # netra: ignore[sync]\n"
            '    print("# netra: ignore[await-sync]")\n'
        ),
    )
    assert [line for _, line, _ in marked(report)] == [6, 7, 8]
    said = [(place.line, place.why.partition(";")[0]) for place in report.unused_ignores]
    assert said == [
        (5, "this ignore[unawaited] silences nothing"),
        (6, "this ignore[unawaited] silences nothing"),
        (7, "this ignore names no kind"),
        (8, "this ignore names 'sync', expected one of await-sync, unawaited"),
    ]


def test_an_unused_ignore_alone_is_not_clean(project):
    report = judged(project, app="x = 1  # netra: ignore[unawaited]\n")
    assert (report.findings, report.exit_code) == ((), 2)


def test_clean_code_is_clean(project):
    report = judged(project, app="async def made(): return 1\nasync def main(): await made()\n")
    assert (report.findings, report.unjudged, report.exit_code) == ((), (), 0)


def test_the_project_is_not_written_to(project):
    write(project, app="async def main():\n    await 1\n")
    before = sorted(os.walk(project))
    audit([project], python=PYTHON, root=project)
    assert sorted(os.walk(project)) == before


ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
COMMANDS = [
    ["audit"],
    ["audit", "--output-format", "json-lines"],
    ["audit", "--output-format", "github"],
    ["fix"],
]


@pytest.mark.parametrize(
    ("arguments", "env"),
    [*product(COMMANDS[:1], ENCODINGS), *product(COMMANDS[1:], ENCODINGS[:1])],
    ids=str,
)
def test_no_encoding_of_a_terminal_is_too_narrow(project, arguments, env):
    text = "def get() -> int: return 1\nasync def main(): return '漢 é 😀 \x1b', await get()\n"
    write(project, app=text)
    (project / "漢é.py").write_text(text)
    command = [sys.executable, "-m", "netra_incident", *arguments, "."]
    done = subprocess.run(command, cwd=project, env=os.environ | env, capture_output=True)
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 1
    assert "app.py" in said
    assert "Traceback" not in said
    if "json-lines" in arguments:
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        # Where names are not read as UTF-8 the other one is not judged.
        assert {line["file"] for line in lines} | {"漢é.py"} == {"app.py", "漢é.py"}


def test_a_type_that_is_lost_when_it_is_asked_for_again_is_not_judged(project, monkeypatch):
    def forgetful(flags, *_):
        return [replace(flag, whole="Unknown") for flag in flags]

    monkeypatch.setattr("await_audit.judging.judgement.ask", forgetful)
    report = judged(project, app="async def main():\n    await 1\n")
    assert [one.line for one in report.unjudged] == [2]
    assert "asked again it does not know the type" in report.unjudged[0].why
    assert report.exit_code != 0


def test_an_import_from_above_is_the_same_when_it_is_asked_again(tmp_path):
    write(tmp_path, helpers="def get() -> int: return 1\n")
    project = tmp_path / "a" / "b"
    project.mkdir(parents=True)
    caller = "from helpers import get\nasync def main():\n    await get()\n"
    report = judged(project, job=caller)
    assert (marked(report), report.unjudged) == ([("job", 3, True)], ())


@pytest.mark.parametrize("given", [".", "..", "link", "job.py", "../scripts", "../scripts/job.py"])
def test_a_path_is_the_same_however_it_is_written(tmp_path, given):
    write(tmp_path, helpers="def get() -> int: return 1\n")
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    write(scripts, job="from helpers import get\nasync def main():\n    await get()\n")
    (scripts / "link").symlink_to(tmp_path, target_is_directory=True)
    done = in_process("audit", given, cwd=scripts)
    assert "job.py:3:5: await-sync" in done.stdout
    assert done.returncode == 1


def test_an_import_that_a_link_leads_away_from_is_not_judged(tmp_path):
    scripts = tmp_path / "project" / "scripts"
    scripts.mkdir(parents=True)
    write(scripts.parent, helpers="def get() -> int: return 1\n")
    write(scripts, job="import helpers\nasync def main():\n    await helpers.get()\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(scripts, target_is_directory=True)
    done = in_process("audit", "link", cwd=tmp_path / "elsewhere")
    assert "link/job.py:1: not judged: the import of helpers was not resolved" in done.stdout
    assert done.returncode == 2


def test_of_two_packages_of_one_name_each_is_its_own(project):
    for name, colour in (("one", ""), ("two", "async ")):
        package = project / name / "app"
        package.mkdir(parents=True)
        caller = "from app.helpers import get\nasync def main():\n    await get()\n"
        write(package, __init__="", helpers=f"{colour}def get() -> int: return 1\n", job=caller)
        write(project / name, run=caller)
    report = audit([project], python=PYTHON, root=project)
    assert {found.path.relative_to(project).as_posix() for found in report.findings} == {
        "one/app/job.py",
        "one/run.py",
    }
    assert report.unjudged == ()


@pytest.mark.parametrize("name", ["gone", "broken", "none"])
def test_an_environment_that_cannot_be_asked_is_no_clean_code(project, name):
    write(project, app="async def main():\n    await 1\n")
    if name == "broken":
        (project / ".venv").mkdir()
        (project / ".venv" / "pyvenv.cfg").touch()
    env = {"VIRTUAL_ENV": str(project / "gone")} if name == "gone" else {}
    done = in_process("audit", ".", cwd=project, env=env)
    assert done.returncode == (1 if name == "none" else 2)
    assert name == "none" or "expected a Python interpreter at " in done.stderr


def unreadable(folder: Path) -> None:
    (folder / "app.py").symlink_to(folder / "gone.py")


def not_utf_8(folder: Path) -> None:
    (folder / "app.py").write_bytes(b"x = '\xe9'\n")


def syntax_error(folder: Path) -> None:
    (folder / "app.py").write_text("def f(:\n")


def symlink_loop(folder: Path) -> None:
    (folder / "app.py").write_text("x = 1\n")
    (folder / "loop").symlink_to(folder)


def test_what_cannot_be_judged_is_one_line_and_exit_code_2(project):
    cases = {
        unreadable: f"app.py: not judged: cannot be read: {os.strerror(errno.ENOENT).lower()}",
        not_utf_8: "app.py: not judged: cannot be decoded: byte 0xe9 in line 1 is not utf-8; ",
        syntax_error: "app.py:1: not judged: it has a syntax error: ",
        symlink_loop: "loop: not judged: is a symbolic link to a folder above it",
    }
    for make in cases:
        (project / make.__name__).mkdir()
        make(project / make.__name__)
    done = in_process("audit", ".", cwd=project)
    assert (done.returncode, done.stderr) == (2, "")
    for make, words in cases.items():
        lines = done.stdout.splitlines()
        assert sum(line.startswith(f"{make.__name__}/{words}") for line in lines) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["."], r"expected Python files \(\*\.py\) at \., found none; give another path$"),
        (["gone"], "gone: no such file or folder$"),
        (["--python", "gone", "."], "--python: expected a Python interpreter at "),
        ([], r".*\bPATH\b.* See netra-ws audit --help\.$"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(project, arguments, words):
    if "--python" in arguments:
        write(project, app="x = 1\n")
    done = in_process("audit", *arguments, cwd=project)
    (line,) = done.stderr.splitlines()
    assert re.match(f"netra-ws: {words}", line)
    assert (done.returncode, done.stdout) == (2, "")


def test_the_command_ends_with_1_for_findings_and_0_for_clean_code(project):
    write(project, app="async def main():\n    await 1\n", clean="x = 1\n")
    for name, code in (("app.py", 1), ("clean.py", 0)):
        done = netra_ws("audit", name, cwd=project)
        assert (done.returncode, done.stderr) == (code, "")
        assert "Python: " in done.stdout


@pytest.mark.parametrize("output_format", ["json-lines", "github"])
def test_a_format_for_programs_has_a_line_a_finding(project, output_format):
    write(project, app="async def main():\n    await 1\n    await 2\n")
    done = in_process("audit", "--output-format", output_format, "app.py", cwd=project)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 2)
    assert "Python: " in done.stderr
