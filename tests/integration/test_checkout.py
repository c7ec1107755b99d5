"""``netra-ws checkout``: the incident as a git history, the same everywhere."""

from __future__ import annotations

import difflib
import errno
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import leash
import pytest
from processes import RunNetraWs, clean_environment, fake_git, git, netra_ws

import netra_ws as package
from netra_incident.case import load_case, told_case
from netra_incident.history.checkout import PACKAGE, checkout, package_files, revisions
from netra_ws.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
ROUTES = "netra_ws/routes/websocket_ssot.py"
MANAGER = "netra_ws/manager.py"
TAGS = {"release-1", "before", "buggy", "fixed"}


def lines(text: str) -> list[str]:
    return text.splitlines()


def changes(repository: Path, old: str, new: str) -> tuple[list[str], list[str], list[str]]:
    """Return the changed files, the lines taken away, the lines added."""
    diff = lines(git("diff", "--no-color", "--unified=0", old, new, cwd=repository))
    body = [line for line in diff if not line.startswith(("---", "+++"))]
    removed = [line[1:] for line in body if line.startswith("-")]
    added = [line[1:] for line in body if line.startswith("+")]
    return lines(git("diff", "--name-only", old, new, cwd=repository)), removed, added


def ids(repository: Path) -> list[str]:
    """Return every commit and every tag of a checkout."""
    commits = lines(git("rev-list", "--all", cwd=repository))
    return commits + lines(git("show-ref", "--tags", cwd=repository))


# The history


def test_the_tags_stand_on_one_line_in_order(history: Path) -> None:
    assert set(lines(git("tag", cwd=history))) == TAGS
    assert git("rev-list", "--all", "--merges", cwd=history) == ""
    assert git("rev-list", "--all", cwd=history) == git("rev-list", "fixed", cwd=history)
    order = lines(
        git("log", "--reverse", "--format=%D", "--decorate-refs=refs/tags/*", cwd=history)
    )
    tagged = [name.removeprefix("tag: ") for name in order if name]
    assert tagged == ["release-1", "before", "buggy", "fixed"]
    assert git("rev-parse", "fixed~1", "fixed~2", cwd=history) == git(
        "rev-parse", "buggy", "before", cwd=history
    )


def test_at_least_ten_commits_lie_between_release_and_incident(history: Path) -> None:
    between = lines(git("rev-list", "release-1..before~1", cwd=history))
    assert len(between) >= 10
    subjects = lines(git("log", "--format=%s", cwd=history))
    assert len(set(subjects)) == len(subjects)
    empty = [one for one in between if not git("diff", "--name-only", f"{one}~1", one, cwd=history)]
    assert empty == []


def test_no_commit_before_the_incident_changes_behaviour(history: Path) -> None:
    assert git("diff", "--name-only", "release-1", "before", "--", "netra_ws", cwd=history) == ""


def test_exactly_one_commit_cannot_be_imported(history: Path, tmp_path: Path) -> None:
    commits = lines(git("rev-list", "--reverse", "fixed", cwd=history))
    modules = "netra_ws.metrics, netra_ws.serving.server"

    def imports(commit: str) -> str:
        """Return the last word of Python on it, or nothing."""
        git("worktree", "add", "--detach", tmp_path / commit, commit, cwd=history)
        done = leash.run(
            [sys.executable, "-P", "-B", "-c", f"import {modules}; print(netra_ws.__file__)"],
            env=clean_environment() | {"PYTHONPATH": str(tmp_path / commit)},
        )
        if done.returncode == 0:
            assert Path(done.stdout.strip()).is_relative_to(tmp_path / commit)
        return "".join(lines(done.stderr)[-1:])

    packages = [git("rev-parse", f"{commit}:netra_ws", cwd=history) for commit in commits]
    one_of = dict(zip(packages, commits, strict=True))  # most of them have the same package
    says = {package: imports(commit) for package, commit in one_of.items()}
    said = [says[package] for package in packages]
    (broken,) = (number for number, words in enumerate(said) if words)
    assert said[broken].startswith("SyntaxError")
    before = commits.index(git("rev-parse", "before", cwd=history))
    assert 0 < broken < before


def test_the_fix_is_four_lines_that_lose_one_await_each(history: Path) -> None:
    files, removed, added = changes(history, "buggy", "fixed")
    assert files == [ROUTES]
    assert len(removed) == len(added) == 4
    assert all("await get_websocket_manager(" in line for line in removed)
    assert [line.replace("await ", "", 1) for line in removed] == added


def test_the_cause_is_the_colour_flip_and_nothing_else(history: Path) -> None:
    files, removed, added = changes(history, "before", "buggy")
    assert files == [MANAGER]
    (old,), (new,) = removed, added
    assert old.startswith("async def get_websocket_manager(")
    assert new == old.removeprefix("async ")


def test_nothing_but_the_four_sites_calls_the_factory(history: Path) -> None:
    calls = lines(git("grep", "-h", r"get_websocket_manager(", "buggy", "--", "*.py", cwd=history))
    awaited = [call for call in calls if "await get_websocket_manager(" in call]
    assert len(awaited) == 4
    assert [call for call in calls if call not in awaited] == [
        next(call for call in calls if call.startswith("def "))
    ]


def test_fixed_is_the_installed_package_byte_for_byte(history: Path) -> None:
    installed = Path(package.__file__).parent
    names = {
        path.relative_to(installed)
        for path in installed.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path.name for path in history.iterdir()} == {".git", ".gitignore", "docs", "netra_ws"}
    copied = history / "netra_ws"
    assert {path.relative_to(copied) for path in copied.rglob("*") if path.is_file()} == names
    for name in names:
        assert (copied / name).read_bytes() == (installed / name).read_bytes()


@pytest.mark.parametrize("revision", ["before", "buggy", "fixed"])
def test_main_is_at_the_revision(revision: str, tmp_path: Path) -> None:
    into = tmp_path / "attempt"
    done = netra_ws("checkout", revision, "--into", into, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert git("symbolic-ref", "HEAD", cwd=into) == "refs/heads/main"
    assert git("rev-parse", "HEAD", cwd=into) == git("rev-parse", revision, cwd=into)
    assert git("rev-parse", "HEAD", cwd=into)[:12] in done.stdout
    assert git("branch", "--format=%(refname:short)", cwd=into) == "main"
    assert git("status", "--porcelain", "--ignored", cwd=into) == ""
    assert git("fsck", "--strict", "--no-dangling", cwd=into) == ""


def test_bisect_names_the_colour_flip(tmp_path: Path) -> None:
    """From the release on, with a judge that skips what cannot be imported."""
    into = tmp_path / "attempt"
    checkout(told_case().buggy, into)
    judge = tmp_path / "judge.py"
    judge.write_text(
        "import inspect, sys\n"
        "try:\n"
        "    import netra_ws.metrics\n"
        "    from netra_ws.manager import get_websocket_manager\n"
        "except SyntaxError:\n"
        "    sys.exit(125)\n"
        "sys.exit(not inspect.iscoroutinefunction(get_websocket_manager))\n"
    )
    env = {"PYTHONPATH": str(into), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    git("bisect", "start", "buggy", "release-1", cwd=into)
    said = git("bisect", "run", sys.executable, "-P", judge, cwd=into, env=env)
    assert git("rev-parse", "refs/bisect/bad", cwd=into) == git("rev-parse", "buggy", cwd=into)
    assert said.count("running ") >= 3


# The same everywhere

HOSTILE = """
[user]
    name = Somebody Else
    email = else@example.org
[init]
    defaultBranch = trunk
    templateDir = {home}/template
[core]
    autocrlf = true
    eol = crlf
    hooksPath = {home}/hooks
    excludesFile = {home}/excludes
[commit]
    gpgSign = true
[tag]
    gpgSign = true
[gpg]
    program = false
[apply]
    whitespace = fix
[fetch]
    fsckObjects = true
"""


def hostile_home(folder: Path) -> dict[str, str]:
    """Return the environment of a user whose configuration gets in the way of everything."""
    home = folder / "home"
    for hooks in (home / "hooks", home / "template" / "hooks"):
        hooks.mkdir(parents=True)
        for name in ("pre-commit", "post-checkout", "commit-msg", "reference-transaction"):
            hook = hooks / name
            hook.write_text(f"#!/bin/sh\ntouch {home}/a-hook-ran\nexit 1\n")
            hook.chmod(0o755)
    (home / "excludes").write_text("*.py\n")
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "attributes").write_text("* text eol=crlf\n")
    (home / ".gitconfig").write_text(HOSTILE.format(home=home))
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def other_repository(folder: Path) -> Path:
    """Return a repository of somebody's, with a commit and a file that is not in it."""
    other = folder / "other"
    (other / "netra_ws").mkdir(parents=True)
    (other / "netra_ws" / "manager.py").write_text("theirs\n")
    git("init", "--quiet", cwd=other)
    git("add", "--all", cwd=other)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    git(*who, "commit", "--quiet", "--message", "theirs", cwd=other)
    (other / "untracked").write_text("theirs\n")
    return other


def in_a_configured_home(folder: Path) -> tuple[Path, dict[str, str]]:
    return folder / "attempt", hostile_home(folder)


def in_a_hook(folder: Path) -> tuple[Path, dict[str, str]]:
    other = other_repository(folder)
    hook = {
        "GIT_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_WORK_TREE": str(other),
        "GIT_PREFIX": "netra_ws/",
        "GIT_AUTHOR_NAME": "Somebody Else",
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
        "GIT_COMMITTER_EMAIL": "else@example.org",
    }
    return folder / "attempt", hook


def in_another_repository(folder: Path) -> tuple[Path, dict[str, str]]:
    return other_repository(folder) / "attempts" / "first", {}


def with_temporary_files_in_another_repository(folder: Path) -> tuple[Path, dict[str, str]]:
    temporary = other_repository(folder) / "tmp"
    temporary.mkdir()
    return folder / "attempt", {"TMPDIR": str(temporary)}


def in_an_empty_folder(folder: Path) -> tuple[Path, dict[str, str]]:
    (folder / "attempt").mkdir()
    return folder / "attempt", {"TZ": "Pacific/Auckland", "LC_ALL": "C", "LANG": "C"}


@pytest.mark.parametrize(
    "surroundings",
    [
        in_a_configured_home,
        in_a_hook,
        in_another_repository,
        with_temporary_files_in_another_repository,
        in_an_empty_folder,
    ],
)
def test_the_history_is_the_same_everywhere(
    surroundings: Callable[[Path], tuple[Path, dict[str, str]]], tmp_path: Path, history: Path
) -> None:
    into, env = surroundings(tmp_path)
    other = tmp_path / "other"
    index = other / ".git" / "index"
    theirs = (git("log", "--all", cwd=other), index.read_bytes()) if other.exists() else None
    done = netra_ws("checkout", "buggy", "--into", into, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(ids(into)) == sorted(ids(history))
    assert git("symbolic-ref", "HEAD", cwd=into) == "refs/heads/main"
    assert git("status", "--porcelain", cwd=into) == ""
    assert b"\r" not in (into / MANAGER).read_bytes()
    assert git("rev-parse", "--show-toplevel", cwd=into) == str(into.resolve())
    assert not (tmp_path / "home" / "a-hook-ran").exists()
    if theirs is not None:
        assert (git("log", "--all", cwd=other), index.read_bytes()) == theirs
        assert git("status", "--porcelain", "--untracked-files=no", cwd=other) == ""
        assert list((other / "tmp").glob("*")) == []


def test_the_user_can_revert_and_commit_whatever_the_configuration(tmp_path: Path) -> None:
    into = tmp_path / "attempt"
    env = hostile_home(tmp_path)
    assert netra_ws("checkout", "buggy", "--into", into, cwd=tmp_path, env=env).returncode == 0
    git("revert", "--no-edit", "buggy", cwd=into, env=env)
    assert git("diff", "before", "HEAD", cwd=into) == ""
    assert b"\r" not in (into / MANAGER).read_bytes()
    assert git("rev-parse", "HEAD~1", cwd=into) == git("rev-parse", "buggy", cwd=into)
    git("commit", "--quiet", "--allow-empty", "--message", "mine", cwd=into, env=env)
    assert git("status", "--porcelain", cwd=into) == ""
    assert not (tmp_path / "home" / "a-hook-ran").exists()


# What it refuses


HELP = "See netra-ws checkout --help"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        pytest.param(["fixed", "--into", "used"], {}, "used is in use", id="folder in use"),
        pytest.param(["fixed", "--into", "hidden"], {}, "hidden is in use", id="hidden file"),
        pytest.param(["fixed", "--into", "file"], {}, f"--into.*file.*{HELP}", id="file"),
        pytest.param(
            ["fixed", "--into", "file/in"], {}, os.strerror(errno.ENOTDIR), id="below a file"
        ),
        pytest.param(["nope", "--into", "new"], {}, f"nope.*{HELP}", id="revision"),
        pytest.param(["release-1", "--into", "new"], {}, f"release-1.*{HELP}", id="other tag"),
        pytest.param(["fixed"], {}, f"--into.*{HELP}", id="no folder"),
        pytest.param([], {}, f"fixed.*{HELP}", id="no arguments"),
        pytest.param(
            ["fixed", "--into", "new"],
            {"PATH": "/nonexistent"},
            "netra-ws: git was not found",
            id="no git",
        ),
    ],
)
def test_a_refusal_is_one_line_and_touches_nothing(
    arguments: list[str],
    env: dict[str, str],
    words: str,
    tmp_path: Path,
    in_process: RunNetraWs,
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".keep").touch()
    (tmp_path / "file").write_text("mine")
    was = contents(tmp_path)
    done = in_process("checkout", *arguments, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("netra-ws: ")
    assert done.stderr.count("\n") == 1
    assert re.search(words, done.stderr)
    assert contents(tmp_path) == was
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["fast-import", "rev-parse"])
def test_a_git_that_fails_leaves_nothing_behind(
    command: str, tmp_path: Path, in_process: RunNetraWs
) -> None:
    """A git that fails midway or at the end: the next try must not call the folder in use."""
    env = fake_git(tmp_path, f'[ "$1" != {command} ] || exit 1')
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "link").symlink_to(empty)
    for into in (empty, tmp_path / "link", tmp_path / "new" / "er"):
        done = in_process("checkout", "fixed", "--into", into, cwd=tmp_path, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"git {command} failed" in done.stderr
    assert list(empty.iterdir()) == []
    assert not (tmp_path / "new").exists()


# Patches and cases


@pytest.mark.parametrize(
    ("name", "old", "new", "patch"),
    [
        (ROUTES, "return get_websocket_manager(user_context)", "return None", "fix.patch"),
        (MANAGER, "\ndef get_websocket_manager(", "\ndef get_manager(", "cause.patch"),
    ],
)
def test_a_patch_that_no_longer_applies_is_named(
    name: str, old: str, new: str, patch: str, tmp_path: Path
) -> None:
    copy = tmp_path / "netra_ws"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert revisions(told_case(), copy) == revisions(told_case())
    path = tmp_path / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError, match=f"^{patch} does not apply to netra_ws") as caught:
        revisions(told_case(), copy)
    assert "\n" not in str(caught.value)


TOY = """
id = "7"
title = "Everybody is let in"
severity = "low"
status = "resolved"
detection = "A test."
summary = "A toy."
impact = "None."
impact_source = "nobody"
fingerprint = "none"
categories = [{ name = "toys", file = "test_toys.py", before = "-", after = "-", note = "-" }]
milestones = []
actions = []

[history]
author = "Toy Maker"
email = "toys@example.org"
start = 1000000000
release = "A toy is released"

[[history.harmless]]
subject = "Break it"
file = "netra_ws/wire/urls.py"
text = "def (\\n"
broken = true

[[history.harmless]]
subject = "Mend it"
file = "notes.md"
text = "mended\\n"

[[history.tagged]]
tag = "before"
subject = "Play"
body = "All is well."
file = "notes.md"
text = "played\\n"

[[history.tagged]]
tag = "buggy"
subject = "Tidy up"
body = "All is not well."

[[history.tagged]]
tag = "fixed"
subject = "Look again"
body = "All is well again."
"""


def patch_between(name: str, old: str, new: str) -> str:
    compared = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(compared)


def test_another_case_needs_nothing_but_its_folder(tmp_path: Path) -> None:
    case = tmp_path / "case_7"
    case.mkdir()
    name = "netra_ws/wire/urls.py"
    fixed = package_files()[name].decode()
    line = 'return host == "localhost"'
    assert fixed.count(line) == 1
    buggy = fixed.replace(line, 'return host != "localhost"')
    before = fixed.replace(line, 'return host in {"localhost"}')
    (case / "incident.toml").write_text(TOY)
    (case / "cause.patch").write_text(patch_between(name, before, buggy))
    (case / "fix.patch").write_text(patch_between(name, buggy, fixed))

    into = tmp_path / "toy"
    commit = checkout(load_case(case).buggy, into)
    assert git("rev-parse", "buggy", cwd=into) == commit
    assert set(lines(git("tag", cwd=into))) == TAGS
    assert lines(git("log", "--reverse", "--format=%s", "fixed", cwd=into)) == [
        "A toy is released",
        "Break it",
        "Mend it",
        "Play",
        "Tidy up",
        "Look again",
    ]
    assert set(lines(git("log", "--format=%an %ae", "fixed", cwd=into))) == {
        "Toy Maker toys@example.org"
    }
    for revision, text in {"before": before, "buggy": buggy, "fixed": fixed}.items():
        assert git("show", f"{revision}:{name}", cwd=into) == text.rstrip("\n")
    assert (into / "notes.md").read_text() == "mended\nplayed\n"
    assert git("show", f"release-1~0:{name}", cwd=into) == before.rstrip("\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (TOY[TOY.index('[[history.tagged]]\ntag = "fixed"') :], "", "tagged"),
        ("broken = true\n", "", "'Break it': only a broken commit"),
        ('"netra_ws/wire/urls.py"', '"notes.md"', "'Break it': only a broken commit"),
        ('"notes.md"\ntext = "p', '"netra_ws/x.py"\ntext = "p', "'Play': only a broken commit"),
        ('tag = "buggy"', 'tag = "fixed"', "expected the tags before, buggy, fixed"),
        ("A toy.", "\udcff", "expected UTF-8, got something else at byte "),
    ],
    ids=[
        *("two tagged", "harmless change of the package", "broken notes"),
        *("tagged change of the package", "another tag", "not UTF-8"),
    ],
)
def test_a_case_with_another_history_is_refused(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    assert TOY.count(old) == 1
    (tmp_path / "incident.toml").write_text(TOY)
    assert load_case(tmp_path).id == "7"
    (tmp_path / "incident.toml").write_text(TOY.replace(old, new), errors="surrogateescape")
    with pytest.raises(ConfigurationError, match=f"^case {tmp_path.name}: .*{words}"):
        load_case(tmp_path)


def test_the_tests_that_the_case_names_are_there() -> None:
    for category in told_case().categories:
        assert (ROOT / category.file).is_file()


@pytest.mark.parametrize("missing", ["incident.toml", "fix.patch", "cause.patch"])
def test_a_case_that_is_not_whole_is_named(missing: str, tmp_path: Path) -> None:
    case = tmp_path / "case_8"
    shutil.copytree(told_case().folder, case)
    (case / missing).unlink()
    with pytest.raises(ConfigurationError, match=missing):
        checkout(load_case(case).fixed, tmp_path / "attempt")
    assert not (tmp_path / "attempt").exists()
