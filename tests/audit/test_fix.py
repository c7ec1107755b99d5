"""The fix: judged again before it is written, whole or not at all, and done when it is done."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from command import in_process
from processes import git, netra_ws

from await_audit.audit import audit
from await_audit.editing import fix as fixing
from await_audit.editing.diff import diff
from await_audit.editing.edits import AWAIT_RULE
from await_audit.editing.fix import FileFix, propose
from await_audit.editing.writing import write
from await_audit.errors import AuditError
from await_audit.finding import Finding, Kind, Report, Span
from netra_incident.case import told_case
from netra_incident.history.checkout import scratch_checkout

ROUTES = "netra_ws/routes/websocket_ssot.py"
MANAGER = """\
class Manager:
    def send(self, event: str) -> "Manager":
        return self

    async def drain(self) -> None: ...


def get() -> Manager:
    return Manager()
"""


def project(folder: Path, **files: str | bytes) -> Path:
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.py").write_bytes(data)
    return folder


def mend(folder: Path) -> dict[str, FileFix]:
    report = audit([folder], root=folder)
    return {fix.path.stem: fix for fix in propose(report)}


# The incident


@pytest.fixture
def buggy() -> Iterator[Path]:
    with scratch_checkout(told_case().buggy) as folder:
        yield folder


def test_the_fix_of_the_incident_is_its_fixed_revision(buggy: Path) -> None:
    shown = in_process("fix", ".", cwd=buggy)
    assert shown.returncode == 1
    assert git("status", "--porcelain", cwd=buggy) == ""
    written = in_process("fix", "--write", ".", cwd=buggy)
    assert (written.returncode, written.stdout) == (0, "")
    assert "took out 4 awaits in 1 file" in written.stderr
    git("add", "--all", cwd=buggy)
    assert git("write-tree", cwd=buggy) == git("rev-parse", "fixed^{tree}", cwd=buggy)
    git("reset", "--hard", "--quiet", "buggy", cwd=buggy)
    subprocess.run(["git", "apply"], input=shown.stdout, text=True, cwd=buggy, check=True)
    assert git("diff", "fixed", cwd=buggy) == ""


# What is judged again


def test_what_a_wrong_await_hid_is_taken_out_as_well(tmp_path: Path) -> None:
    caller = """\
from manager import get


async def run() -> None:
    manager = await get()
    await manager.send("a")
    await (await manager.send("b")).send("c")
    await manager.drain()
"""
    project(tmp_path, manager=MANAGER, caller=caller)
    fix = mend(tmp_path)["caller"]
    assert fix.after.decode() == """\
from manager import get


async def run() -> None:
    manager = get()
    manager.send("a")
    (manager.send("b")).send("c")
    await manager.drain()
"""  # fmt: skip
    assert (fix.removed, fix.left) == (4, ())
    write([fix])
    assert mend(tmp_path) == {}


def test_what_is_uncovered_is_certain_only_among_all_files(tmp_path: Path) -> None:
    caller = """\
from manager import get


async def run() -> None:
    manager = await get()
    await manager.send("a")
"""
    other = """\
from manager import Manager


class Remote(Manager):
    async def send(self, event: str) -> Manager:
        return self
"""
    project(tmp_path, manager=MANAGER, caller=caller, other=other)
    fix = mend(tmp_path)["caller"]
    assert fix.after.decode() == caller.replace("await get", "get")
    assert [left.finding.span.line for left in fix.left] == [6]
    assert "not certain" in fix.left[0].why


def test_only_the_files_that_were_flagged_are_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[list[str]] = []

    def recorded(paths: Sequence[Path], **settings: object) -> Report:
        judged.append([path.name for path in paths])
        return audit(paths, **settings)  # type: ignore[arg-type]

    caller = "from manager import get\n\n\nasync def run():\n    await get()\n"
    project(tmp_path, manager=MANAGER, caller=caller, clean="async def run(): ...\n")
    report = audit([tmp_path], root=tmp_path)
    monkeypatch.setattr(fixing, "audit", recorded)
    assert [fix.changed for fix in propose(report)] == [True]
    assert judged == [["caller.py"]]


LEFT = {
    "async with await get() as x: pass": "not an asynchronous context manager",
    "async for x in await many(): pass": "not an asynchronous iterable",
    "await asyncio.gather(await get())": "gather awaits its argument",
}


def test_an_await_is_left_if_what_stands_there_then_is_wrong_too(tmp_path: Path) -> None:
    callers = {
        f"caller_{number}": f"""\
import asyncio
from manager import get


def many() -> list[int]:
    return []


async def run():
    {line}
    await get()
"""
        for number, line in enumerate(LEFT)
    }
    project(tmp_path, manager=MANAGER, **callers)
    fixes = mend(tmp_path)
    for (name, caller), words in zip(callers.items(), LEFT.values(), strict=True):
        assert fixes[name].after.decode() == caller.replace("    await get()\n", "    get()\n")
        assert [one.why for one in fixes[name].left if words in one.why and "without" in one.why]


WORSE = {
    "await right()": "without the `await`, this coroutine is never awaited",
    "x = await right()\n    x.bit_length()": "given up",
}


def test_a_file_that_would_get_worse_is_left_as_it_was(tmp_path: Path) -> None:
    """The report calls an await wrong which is right, as an engine in error would."""
    head = "async def right() -> int:\n    return 1\n\n\nasync def run():\n    "
    texts = {f"caller_{number}": f"{head}{body}\n" for number, body in enumerate(WORSE)}
    project(tmp_path, **texts)
    report = audit([tmp_path], root=tmp_path)
    assert report.findings == ()
    lies = tuple(
        Finding(
            path, Span(6, column, 6, column + 13), Kind.AWAIT_SYNC, AWAIT_RULE, "m", ("own",), True
        )
        for path, text in zip(report.files, texts.values(), strict=True)
        for column in [text.splitlines()[5].index("await right()")]
    )
    fixes = propose(replace(report, findings=lies))
    for fix, words in zip(fixes, WORSE.values(), strict=True):
        assert not fix.changed
        assert words in fix.left[0].why


def test_a_copy_that_cannot_be_judged_as_the_file_was_is_given_up(tmp_path: Path) -> None:
    text = (
        "def f() -> int:\n    return 1\n\n\nasync def run():\n    import nowhere\n    await f()\n"
    )
    path = project(tmp_path, caller=text) / "caller.py"
    report = audit([path], root=tmp_path)
    assert [fix.changed for fix in propose(report)] == [True]  # it was not resolved before either
    earlier = replace(report, unjudged=())
    (fix,) = propose(earlier)
    assert not fix.changed
    assert "the import of nowhere was not resolved" in fix.left[0].why


def test_encodings_and_line_ends_go_through(tmp_path: Path) -> None:
    files = {}
    for number, (head, codec, end) in enumerate(
        [
            ("# coding: latin-1", "latin-1", "\n"),
            ("# é", "utf-8-sig", "\r\n"),
            ("# coding: cp1252", "cp1252", "\r\n"),
            ("# é", "utf-8", "\n"),
        ]
    ):
        lines = [head, "def f(x: str) -> str:", "\treturn x", "async def run():"]
        lines += ["\t'é', await f('é')", "\tx = f'é{await f(\"é\")}'"]
        lines += ["\tawait (await f('é')).upper()  # é"]
        lines += ["\t'é', (await f(y) for y in x)", "\f", ""]
        files[f"caller_{number}"] = end.join(lines).encode(codec)
    project(tmp_path, **files)
    fixes = mend(tmp_path)
    for name, data in files.items():
        kept = data.rindex(b"await ")
        assert fixes[name].after == data[:kept].replace(b"await ", b"") + data[kept:]
        assert fixes[name].removed == 4
        assert [left.finding.span for left in fixes[name].left] == [Span(8, 7, 8, 17)]


def test_a_file_beside_packages_finds_their_modules_when_judged_again(tmp_path: Path) -> None:
    (tmp_path / "src" / "package").mkdir(parents=True)
    project(tmp_path / "src" / "package", __init__="", manager=MANAGER)
    (tmp_path / "tests").mkdir()
    caller = "from package.manager import get\n\n\nasync def test():\n    await get()\n"
    project(tmp_path / "tests", test_it=caller)
    fix = mend(tmp_path)["test_it"]
    assert fix.after.decode() == caller.replace("await ", "")


# Writing


def one_fix(path: Path, before: bytes = b"await f()\n", after: bytes = b"f()\n") -> FileFix:
    path.write_bytes(before)
    return FileFix(path, before, after, 1, ())


def test_a_written_file_keeps_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    fix = one_fix(tmp_path / "a.py")
    fix.path.chmod(0o751)
    assert write([fix]) == [fix.path]
    assert fix.path.read_bytes() == b"f()\n"
    assert stat.S_IMODE(fix.path.stat().st_mode) == 0o751
    assert list(tmp_path.iterdir()) == [fix.path]


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "target.py"
    link = tmp_path / "link.py"
    one_fix(target)
    link.symlink_to(target)
    write([FileFix(link, b"await f()\n", b"f()\n", 1, ())])
    assert link.is_symlink()
    assert target.read_bytes() == b"f()\n"


@pytest.mark.parametrize("first", [True, False])
def test_a_read_only_file_is_refused_and_no_file_is_written(tmp_path: Path, first: bool) -> None:
    free, kept = one_fix(tmp_path / "free.py"), one_fix(tmp_path / "kept.py")
    kept.path.chmod(0o444)
    with pytest.raises(AuditError, match=r"kept\.py.*read-only; nothing was written"):
        write([kept, free] if first else [free, kept])
    assert free.path.read_bytes() == b"await f()\n"
    assert sorted(tmp_path.iterdir()) == [free.path, kept.path]


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    fix = one_fix(tmp_path / "a.py")
    fix.path.write_bytes(b"await g()\n")
    with pytest.raises(AuditError, match="changed while it was judged"):
        write([fix])
    fix.path.unlink()
    with pytest.raises(AuditError, match=os.strerror(errno.ENOENT)):
        write([fix])


def test_a_diff_says_where_the_last_line_has_no_end(tmp_path: Path) -> None:
    fix = one_fix(tmp_path / "a b.py", b"x\r\nawait f()", b"x\r\nf()")
    shown = b"".join(diff(fix, tmp_path))
    fix.path.write_bytes(fix.before)
    subprocess.run(["git", "apply"], input=shown, cwd=tmp_path, check=True)
    assert fix.path.read_bytes() == fix.after


NAMES = ["a\nb.py", 'a"b.py', "a\x1b[31m.py", "a\u202eb.py", "é b.py", "a\tb.py", "-a.py"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_git_reads_every_name_in_a_diff_and_no_terminal_obeys_it(name: str, tmp_path: Path) -> None:
    fix = one_fix(tmp_path / name)
    lines = diff(fix, tmp_path)
    assert all(line.decode().rstrip("\n").isprintable() for line in lines[:2])
    fix.path.write_bytes(fix.before)
    subprocess.run(["git", "apply"], input=b"".join(lines), cwd=tmp_path, check=True)
    assert fix.path.read_bytes() == fix.after


# The command


def test_the_exit_code_tells_done_from_to_do_from_not_judged(tmp_path: Path) -> None:
    caller = "from manager import get\n\n\nasync def run():\n    await get()\n"
    project(tmp_path, manager=MANAGER, caller=caller)
    path = tmp_path / "caller.py"
    shown = netra_ws("fix", ".", cwd=tmp_path)
    assert shown.returncode == 1
    assert "-    await get()\n+    get()\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    path.chmod(0o400)
    refused = in_process("fix", "--write", ".", cwd=tmp_path)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "caller.py: cannot be written: the file is read-only" in refused.stderr
    path.chmod(0o600)
    assert in_process("fix", "--write", ".", cwd=tmp_path).returncode == 0
    assert path.read_text() == caller.replace("await ", "")
    again = in_process("fix", "--write", ".", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to take out" in again.stderr
    (tmp_path / "broken.py").write_text("def (:\n")
    unjudged = in_process("fix", ".", cwd=tmp_path)
    assert unjudged.returncode == 2
    assert "broken.py:1: not judged: it has a syntax error" in unjudged.stderr
    path.write_text(caller + "    x = (await get() for _ in 'a')\n")
    left = in_process("fix", "--write", ".", cwd=tmp_path)
    assert left.returncode == 1
    assert "caller.py:6:10: `Manager` is not awaitable; left, because the generator" in left.stderr
    (tmp_path / "broken.py").unlink()
    path.write_text("x = 1  # netra: ignore[unawaited]\n")
    codes = [in_process(command, ".", cwd=tmp_path).returncode for command in ("audit", "fix")]
    assert codes == [2, 2]


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    caller = "from manager import get\n\n\nasync def run():\n    await get()\n"
    project(tmp_path, manager=MANAGER, caller=caller)
    shown = in_process("fix", "caller.py", cwd=tmp_path, env={"FORCE_COLOR": "1", "TERM": "xterm"})
    assert "\x1b[31m-    await get()\x1b[0m" in shown.stdout
