"""The drift check on histories: which revision, which commit, what moved, and what it refuses."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from command import in_process
from drifting import IDENTITY, Repository, check, listed, only
from processes import fake_git, git

from await_audit.drift import Colour, drift
from await_audit.errors import AuditError

ROOT = Path(__file__).parents[2]

MORE = "".join(f"CONSTANT_{number} = {number}\n" for number in range(9))
ASYNC = f"async def get():\n    return {{}}\n\n\n{MORE}"
SYNC = ASYNC.removeprefix("async ")
CALLER = "from lib import get\n\n\nasync def main():\n    await get()  # left\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit("Begin", {"lib.py": ASYNC, "caller.py": CALLER})
    git("tag", "start", cwd=made.folder)
    return made


# The incident


@pytest.fixture
def incident(tmp_path: Path, history: Path) -> Path:
    clone = tmp_path / "incident"
    git("clone", "--quiet", history, clone, cwd=tmp_path)
    return clone


ROUTES = "netra_ws/routes/websocket_ssot.py"


def test_the_incident_is_named_with_its_four_callers(incident: Path) -> None:
    git("checkout", "--quiet", "buggy", cwd=incident)
    flip = only(drift([incident], "before"))
    assert (flip.qualname, flip.was, flip.now) == (
        "get_websocket_manager",
        Colour.COROUTINE,
        Colour.SYNC,
    )
    assert flip.path == incident / "netra_ws" / "manager.py"
    assert flip.commit is not None
    assert flip.commit.id == git("rev-parse", "--short", "buggy", cwd=incident)
    assert flip.commit.subject == git("show", "-s", "--format=%s", "buggy", cwd=incident)
    text = (incident / ROUTES).read_text().splitlines()
    expected = [n for n, line in enumerate(text, 1) if "await get_websocket_manager(" in line]
    assert len(expected) == 4
    assert [(one.path, one.line) for one in flip.left_behind] == [
        (incident / ROUTES, line) for line in expected
    ]


def named(format_: str, lines: list[str]) -> list[str]:
    """Return the lines that name a caller; in JSON these are all, and have the form of findings."""
    match format_:
        case "full":
            assert lines[-1].endswith("1 function changed colour, 4 callers left behind")
            return [line for line in lines if re.match(rf"{ROUTES}:\d+: awaits get_web", line)]
        case "github":
            return [line for line in lines if line.startswith(f"::error file={ROUTES},line=")]
    for record in map(json.loads, lines):
        assert list(record) == ["file", "line", "end_line", "kind", "rule", "message"]
        assert (record["file"], record["kind"]) == (ROUTES, "await-sync")
        assert record["rule"] == "colour-drift"
    return lines


@pytest.mark.parametrize("format_", ["full", "json-lines", "github"])
def test_the_command_names_them_in_every_format(format_: str, incident: Path) -> None:
    git("checkout", "--quiet", "buggy", cwd=incident)
    command = ("audit", "--since", "before", "--output-format", format_, ".")
    done = in_process(*command, cwd=incident)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    commit = git("rev-parse", "--short", "buggy", cwd=incident)
    found = named(format_, lines)
    assert len(found) == 4
    if format_ == "full":
        assert len(lines) == 1 + len(found) + 1  # nothing of what investigates
        assert done.stderr == ""
    assert all(f"in {commit} (Make get_websocket_manager synchronous)" in line for line in found)


def test_the_documentation_shows_what_is_printed(incident: Path) -> None:
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    (console,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    shown = console.split("--since before .\n")[1].removesuffix("…\n")
    git("checkout", "--quiet", "buggy", cwd=incident)
    printed = in_process("audit", "--since", "before", ".", cwd=incident).stdout

    def without_numbers(lines: str) -> str:
        return re.sub(r"\bin [0-9a-f]+ ", "in COMMIT ", re.sub(r":\d+:", ":LINE:", lines))

    assert shown.count("\n") == 2
    assert without_numbers(printed).startswith(without_numbers(shown))


def test_nobody_is_left_behind_by_the_fix(incident: Path) -> None:
    git("checkout", "--quiet", "fixed", cwd=incident)
    found = drift([incident], "before")
    assert only(found).qualname == "get_websocket_manager"
    assert (only(found).left_behind, found.exit_code) == ((), 0)


def test_the_harmless_commits_flip_nothing(incident: Path) -> None:
    git("checkout", "--quiet", "before", cwd=incident)
    found = drift([incident], "release-1")
    assert (found.flips, found.unjudged, found.exit_code) == ((), (), 0)


def test_a_revision_with_a_syntax_error_is_not_judged(incident: Path) -> None:
    """One of the harmless commits cannot be parsed: what it had there is not known."""
    git("checkout", "--quiet", "before", cwd=incident)
    codes = {}
    for commit in git("rev-list", "release-1..before", cwd=incident).splitlines():
        found = drift([incident], commit)
        codes[commit] = found.exit_code
        if found.unjudged:
            (one,) = found.unjudged
            assert one.why.startswith(f"at {commit}: syntax error")
    assert sorted(codes.values()) == [0] * (len(codes) - 1) + [2]


# Which commit


def test_the_commit_that_flipped_it_is_named(repository: Repository) -> None:
    repository.commit("Say more", {"lib.py": ASYNC + "\nA = 1\n"})
    flipping = repository.commit("Make get synchronous", {"lib.py": SYNC + "\nA = 1\n"})
    repository.commit("Say even more", {"lib.py": SYNC + "\nA = 2\n"})
    found = repository.drift()
    check(repository, found)
    assert str(only(found).commit) == f"{flipping} (Make get synchronous)"


def test_of_several_flips_the_last_one_is_named(repository: Repository) -> None:
    repository.commit("There", {"lib.py": SYNC})
    repository.commit("Back", {"lib.py": ASYNC})
    assert repository.drift().flips == ()
    last = repository.commit("There again", {"lib.py": SYNC})
    assert only(repository.drift()).commit.id == last


def test_what_is_not_committed_is_said(repository: Repository) -> None:
    repository.write({"lib.py": SYNC})
    for stage in (False, True):
        if stage:
            git("add", "lib.py", cwd=repository.folder)
        found = repository.drift()
        check(repository, found)
        assert only(found).commit is None
        assert only(found).since == "and is not committed yet"


def test_a_version_that_cannot_be_parsed_is_passed_over(repository: Repository) -> None:
    repository.commit("Break it", {"lib.py": "def (\n"})
    mended = repository.commit("Mend it", {"lib.py": SYNC})
    found = repository.drift()
    check(repository, found)
    assert only(found).commit.id == mended


def test_a_flip_on_a_merged_branch_is_named(repository: Repository) -> None:
    folder = repository.folder
    git("checkout", "--quiet", "-b", "side", cwd=folder)
    flipping = repository.commit("Flip on the side", {"lib.py": SYNC})
    git("checkout", "--quiet", "main", cwd=folder)
    repository.commit("Meanwhile", {"notes.py": "A = 1\n"})
    git(*IDENTITY, "merge", "--quiet", "--no-edit", "side", cwd=folder)
    assert only(repository.drift()).commit.id == flipping


def test_a_flip_in_the_merge_itself_is_named(repository: Repository) -> None:
    folder = repository.folder
    git("checkout", "--quiet", "-b", "side", cwd=folder)
    repository.commit("On the side", {"lib.py": ASYNC + "A = 1\n"})
    git("checkout", "--quiet", "main", cwd=folder)
    repository.commit("Meanwhile", {"lib.py": ASYNC + "B = 1\n"})
    git(*IDENTITY, "merge", "--quiet", "--no-commit", "-s", "ours", "side", cwd=folder)
    merge = repository.commit("Merge, and flip", {"lib.py": SYNC})
    assert only(repository.drift()).commit.id == merge


def test_a_branch_that_left_the_revision_is_compared_with_where_it_left(
    repository: Repository,
) -> None:
    """What others did after that is no change of this branch."""
    folder = repository.folder
    git("checkout", "--quiet", "-b", "mine", cwd=folder)
    mine = repository.commit("Mine", {"mine.py": "A = 1\n"})
    git("checkout", "--quiet", "main", cwd=folder)
    repository.commit("Theirs", {"lib.py": SYNC})
    git("checkout", "--quiet", "mine", cwd=folder)
    found = repository.drift("main")
    assert (found.flips, found.base.subject) == ((), "Begin")
    assert mine != found.base.id


# What moved


@pytest.mark.parametrize("how", ["committed", "staged", "untracked"])
def test_a_file_that_moved_and_flipped(how: str, repository: Repository) -> None:
    moved = CALLER.replace("from lib", "from pkg.core")
    repository.write({"lib.py": None, "pkg/core.py": SYNC, "caller.py": moved})
    commit = None
    if how == "committed":
        commit = repository.commit("Move and flip")
    elif how == "staged":
        git("add", "--all", cwd=repository.folder)
    found = repository.drift()
    check(repository, found)
    assert only(found).path.name == "core.py"
    assert (only(found).commit.id if only(found).commit else None) == commit


def test_a_flip_before_a_move_is_found_through_it(repository: Repository) -> None:
    flipping = repository.commit("Flip", {"lib.py": SYNC})
    git("mv", "lib.py", "core.py", cwd=repository.folder)
    repository.commit("Move", {"caller.py": CALLER.replace("from lib", "from core")})
    found = repository.drift()
    check(repository, found)
    assert only(found).commit.id == flipping
    git("mv", "core.py", "again.py", cwd=repository.folder)
    repository.write({"caller.py": CALLER.replace("from lib", "from again")})
    found = repository.drift()
    check(repository, found)
    assert only(found).commit.id == flipping


@pytest.mark.parametrize("keeps", [True, False], ids=["the file stays", "the file goes"])
def test_a_function_that_moved_behind_a_re_export(keeps: bool, repository: Repository) -> None:
    """`lib.get` has another colour than before, wherever it is defined now."""
    where = "lib.py" if keeps else "lib/__init__.py"
    if not keeps:
        (repository.folder / "lib.py").unlink()
    moved = repository.commit("Move", {where: "from inner import get\n", "inner.py": SYNC})
    found = repository.drift()
    check(repository, found)
    assert only(found).path.name == "inner.py"
    assert only(found).commit.id == moved


def test_a_function_that_is_gone_or_new_is_no_flip(repository: Repository) -> None:
    repository.commit("Replace", {"lib.py": SYNC.replace("get", "fetch")})
    assert repository.drift().flips == ()


# Packages


def test_callers_over_packages_relative_imports_and_re_exports(repository: Repository) -> None:
    files = {
        "src/app/__init__.py": "from .core import get\nfrom .core import get as fetch\n",
        "src/app/core.py": ASYNC,
        "src/app/lazy.py": """
            def __getattr__(name):
                from app import core
                return getattr(core, name)
        """,
        "src/app/sub/__init__.py": "",
        "src/app/sub/views.py": """
            from .. import get
            from ..core import get as direct
            from ...app import core
            async def view():
                await get()  # left
                await direct()  # left
            async def other():
                from .. import fetch
                await fetch()  # left
        """,
        "tests/test_app.py": """
            import app
            import app.core
            from app import fetch
            from app.lazy import get as late
            async def test_it():
                await app.get()  # left
                await app.core.get()  # left
                await fetch()  # left
                await late()  # maybe
        """,
    }
    repository.commit("Packages", files)
    git("tag", "-f", "start", cwd=repository.folder)
    repository.write({"lib.py": None, "caller.py": None})
    repository.commit("Flip", {"src/app/core.py": SYNC})
    check(repository, repository.drift())


def test_two_packages_of_one_name_are_kept_apart(repository: Repository) -> None:
    for side, mark in (("one", "  # left"), ("two", "")):
        repository.write({
            f"{side}/lib.py": ASYNC,
            f"{side}/caller.py": f"import lib\nasync def main():\n    await lib.get(){mark}\n",
            f"{side}/below/caller.py": f"from lib import get\nasync def a():\n await get(){mark}\n",
        })  # fmt: skip
    repository.write({"lib.py": None, "caller.py": None})
    repository.commit("Two")
    git("tag", "-f", "start", cwd=repository.folder)
    repository.commit("Flip one", {"one/lib.py": SYNC})
    check(repository, repository.drift())


def test_only_what_lies_below_the_paths_is_listed(repository: Repository) -> None:
    caller = CALLER.replace("lib", "lib")
    repository.write({"lib.py": SYNC, "a/one.py": caller, "b/two.py": caller})
    git("add", "--all", cwd=repository.folder)
    repository.commit("Flip")
    assert {name for name, _ in listed(repository, repository.drift(), certain=True)} == {
        "caller.py",
        "a/one.py",
        "b/two.py",
    }
    found = repository.drift("start", "a", "b/two.py")
    assert {name for name, _ in listed(repository, found, certain=True)} == {
        "a/one.py",
        "b/two.py",
    }
    git("rm", "--quiet", "-r", "a", cwd=repository.folder)
    (repository.folder / "other.py").touch()
    assert repository.drift("start", "other.py").flips == ()


def test_ignored_files_are_not_searched_and_untracked_ones_are(repository: Repository) -> None:
    ignored = CALLER.replace("  # left", "")
    repository.write({".gitignore": "build/\n", "build/copy.py": ignored, "new.py": CALLER})
    repository.write({"lib.py": SYNC})
    check(repository, repository.drift())


# What it cannot judge


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("lib.py", "async def get(:\n", r"syntax error: "),
        ("lib.py", b"\xff\xfe\x00d", r"cannot be decoded: byte 0xff in line 1 is not utf-8; "),
        ("other.py", "from lib import get\nawait get(\n", r"syntax error: "),
        ("other.py", b"get = '\xe4'\n", r"cannot be decoded: byte 0xe4 in line 1 is not utf-8; "),
        ("lib.py", b"get = '\0'\n", r"cannot be decoded: it contains a null byte"),
        ("other.py", b"# coding: klingon\nget\n", r"cannot be decoded: its coding line names an"),
        ("lib.py", "get = " + "-" * 9999 + "1\n", r"cannot be parsed: it is nested too deep$"),
    ],
    ids=["changed", "binary", "caller", "latin-1", "null byte", "encoding", "deep"],
)
def test_a_file_that_cannot_be_parsed_is_named(
    name: str, content: str | bytes, why: str, repository: Repository
) -> None:
    repository.write({"lib.py": SYNC, "caller.py": None})
    repository.write({name: content})
    found = repository.drift()
    (one,) = found.unjudged
    assert one.path == repository.folder.resolve() / name
    assert re.search(why, one.why)
    assert found.exit_code == 2
    done = in_process("audit", "--since", "start", ".", cwd=repository.folder)
    assert done.returncode == 2
    assert f"{name}:" in done.stderr
    assert "not judged: " in done.stderr


def test_a_broken_file_that_names_no_flip_is_none_of_its_business(repository: Repository) -> None:
    repository.commit("Broken", {"broken.py": "def (\n"})
    git("tag", "-f", "start", cwd=repository.folder)
    repository.write({"lib.py": SYNC})
    check_less = repository.drift()
    assert (check_less.unjudged, check_less.exit_code) == ((), 1)


def test_callers_left_behind_weigh_more_than_a_broken_file(repository: Repository) -> None:
    repository.write({"lib.py": SYNC, "broken.py": "get(\n"})
    found = repository.drift()
    assert len(found.unjudged) == 1
    assert found.exit_code == 1


def shallow(tmp_path: Path, repository: Repository) -> Path:
    repository.commit("Then")
    url = f"file://{repository.folder}"
    git("clone", "--quiet", "--depth=1", "--no-tags", url, "shallow", cwd=tmp_path)
    return tmp_path / "shallow"


def test_a_shallow_history_is_said_with_what_to_do(tmp_path: Path, repository: Repository) -> None:
    clone = shallow(tmp_path, repository)
    with pytest.raises(AuditError, match=r"no such revision; .* git fetch --unshallow$"):
        drift([clone], "start")
    git("fetch", "--quiet", "--depth=1", "origin", "tag", "start", cwd=clone)
    with pytest.raises(AuditError, match=r"nothing in common .* git fetch --unshallow$"):
        drift([clone], "start")
    git("fetch", "--quiet", "--unshallow", cwd=clone)
    assert drift([clone], "start").exit_code == 0


def test_unrelated_histories_are_refused(repository: Repository) -> None:
    git("checkout", "--quiet", "--orphan", "elsewhere", cwd=repository.folder)
    repository.commit("Elsewhere")
    with pytest.raises(AuditError, match=r"nothing in common with HEAD; expected one that"):
        repository.drift()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "nope", "."], "--since nope: no such revision; "),
        (["--since", "--all", "."], "--since --all: expected a revision, got an option"),
        (["--since", "", "."], "no such revision"),
        (["--since", "start:lib.py", "."], "no such revision"),
        (["--since", "start", "missing"], "missing: no such file or folder"),
        (["--since", "start", "../bare"], "needs a git working tree"),
        (["--since", "start", "../plain"], "needs a git working tree, and this lies in none"),
        (["--since", "start", ".", "../other"], "../other is not in the repository of ."),
    ],
)
def test_a_refusal_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, repository: Repository
) -> None:
    (tmp_path / "plain").mkdir()
    git("init", "--quiet", "--bare", "bare", cwd=tmp_path)
    Repository(tmp_path / "other").commit("Other")
    done = in_process("audit", *arguments, cwd=repository.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("netra-ws: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_missing_git_is_one_line(repository: Repository) -> None:
    env = {"PATH": "/nonexistent"}
    done = in_process("audit", "--since", "start", ".", cwd=repository.folder, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "netra-ws: git was not found: install it, or add it to PATH\n"


def test_a_git_that_fails_is_one_line(tmp_path: Path, repository: Repository) -> None:
    env = fake_git(tmp_path, '[ "$1" != diff ] || { echo broken >&2; exit 3; }')
    done = in_process("audit", "--since", "start", ".", cwd=repository.folder, env=env)
    assert (done.returncode, done.stderr) == (2, "netra-ws: git diff: broken\n")


# Whatever the configuration


def test_no_configuration_changes_the_outcome(tmp_path: Path, repository: Repository) -> None:
    repository.commit("Flip", {"lib.py": SYNC})
    (repository.folder / "umlaut \u00e4.py").write_text(CALLER)
    git("mv", "lib.py", "core.py", cwd=repository.folder)
    repository.write({
        "caller.py": CALLER.replace("from lib", "from core"),
        "umlaut \u00e4.py": CALLER.replace("from lib", "from core"),
    })  # fmt: skip
    plain = repository.drift()
    check(repository, plain)
    ran = tmp_path / "ran"
    for name, value in {
        "color.ui": "always",
        "core.quotePath": "true",
        "core.abbrev": "40",
        "core.fsmonitor": f"touch {ran}; false",
        "diff.external": f"touch {ran}",
        "diff.noprefix": "true",
        "diff.renames": "false",
        "diff.orderFile": str(tmp_path / "missing"),
        "log.showSignature": "true",
        "log.date": "relative",
        "log.follow": "true",
        "pager.log": "cat",
        "core.pager": f"touch {ran}",
    }.items():
        git("config", name, value, cwd=repository.folder)
    (repository.folder / ".git" / "info").mkdir(exist_ok=True)
    attributes = repository.folder / ".git" / "info" / "attributes"
    attributes.write_text("*.py diff=mine\n")
    git("config", "diff.mine.textconv", f"touch {ran}; cat", cwd=repository.folder)
    assert repository.drift() == plain
    assert not ran.exists()


def test_the_environment_of_a_hook_does_not_lead_elsewhere(
    tmp_path: Path, repository: Repository
) -> None:
    repository.commit("Flip", {"lib.py": SYNC})
    elsewhere = Repository(tmp_path / "elsewhere")
    elsewhere.commit("Elsewhere")
    env = {"GIT_DIR": str(elsewhere.folder / ".git"), "GIT_INDEX_FILE": "nowhere"}
    done = in_process("audit", "--since", "start", ".", cwd=repository.folder, env=env)
    assert (done.returncode, done.stderr) == (1, "")


def test_looking_changes_nothing(repository: Repository) -> None:
    repository.write({"lib.py": None, "core.py": SYNC, "caller.py": CALLER.replace("lib", "core")})
    folder = repository.folder / ".git"

    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before = state()
    check(repository, repository.drift())
    assert state() == before


def test_a_worktree_and_a_folder_below_are_the_same_repository(
    tmp_path: Path, repository: Repository
) -> None:
    git("worktree", "add", "--quiet", tmp_path / "worktree", "-b", "w", cwd=repository.folder)
    other = tmp_path / "worktree"
    (other / "lib.py").unlink()
    (other / "core.py").write_text(SYNC)
    (other / "caller.py").write_text(CALLER.replace("lib", "core"))
    found = drift([other], "start")
    assert only(found).path == other / "core.py"
    assert [one.line for one in only(found).left_behind] == [5]


def test_paths_are_written_as_seen_from_the_working_directory(repository: Repository) -> None:
    repository.commit("Flip", {"lib.py": SYNC, "sub/notes.md": ""})
    done = in_process("audit", "--since", "start", "..", cwd=repository.folder / "sub")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].startswith("../caller.py:5: awaits get, ")


# What is left out, and what is not there


@pytest.mark.parametrize("name", ["empty", "words", "build", "gone"])
def test_a_path_with_nothing_to_judge_is_an_error(repository: Repository, name: str) -> None:
    repository.write({".gitignore": "made.py\n", "words/a.txt": "", "build/made.py": SYNC})
    for folder in ("empty", "gone"):
        (repository.folder / folder).mkdir()
    but = " but 1 that git ignores" if name == "build" else ""
    words = rf"^expected Python files \(\*\.py\) at {name}, found none{but}; give another path$"
    done = in_process("audit", "--since", "start", name, cwd=repository.folder)
    assert done.returncode == 2
    assert re.search(words, done.stderr.strip().removeprefix("netra-ws: "))


def test_a_folder_whose_files_are_gone_was_judged(repository: Repository) -> None:
    repository.commit("More", {"old/a.py": ASYNC})
    repository.write({"old/a.py": None, "old/words.txt": ""})
    assert repository.drift("HEAD", "old").exit_code == 0


@pytest.mark.parametrize("given", ["build", "build/copy.py", "made.py"])
def test_what_git_ignores_is_counted_and_judged_if_it_is_given(
    repository: Repository, given: str
) -> None:
    repository.write({".gitignore": "build/\nmade.py\n", "build/copy.py": CALLER})
    repository.write({"made.py": CALLER, "lib.py": SYNC})
    found = repository.drift()
    assert {caller.path.name for caller in only(found).callers} == {"caller.py"}
    assert found.ignored_by_git == 2
    found = repository.drift("start", given)
    (caller,) = only(found).callers
    assert (caller.certain, caller.path.relative_to(repository.folder).parts[0]) == (
        True,
        given.partition("/")[0],
    )
    assert found.ignored_by_git == 0
    done = in_process("audit", "--since", "start", ".", cwd=repository.folder)
    assert done.stdout.endswith(", 2 files left out, which git ignores\n")


@pytest.fixture
def above(tmp_path: Path) -> Repository:
    """A repository with a submodule."""
    within = Repository(tmp_path / "within")
    within.commit("Begin", {"lib.py": ASYNC})
    made = Repository(tmp_path / "above")
    allow = ("-c", "protocol.file.allow=always")
    git(*allow, "submodule", "--quiet", "add", within.folder, "vendored", cwd=made.folder)
    made.commit("Begin", {"m.py": "x = 1\n"})
    git("tag", "start", cwd=made.folder)
    return made


@pytest.mark.parametrize("how", ["changed", "committed", "recorded", "taken out"])
def test_a_submodule_that_changed_is_not_judged(above: Repository, how: str) -> None:
    assert above.drift().exit_code == 0
    within = above.folder / "vendored"
    if how == "taken out":
        git("rm", "--quiet", "-f", "vendored", cwd=above.folder)
    else:
        (within / "lib.py").write_text(SYNC)
    if how in {"committed", "recorded"}:
        git(*IDENTITY, "commit", "--quiet", "--all", "-m", "Change", cwd=within)
    if how == "recorded":
        above.commit("Take it")
    (said,) = above.drift().unjudged
    assert said.path == within
    assert said.why.startswith("is a submodule that changed; audit it by itself")
    assert above.drift().exit_code == 2
    assert above.drift("start", "m.py").exit_code == 0


def test_a_submodule_is_judged_by_itself(above: Repository) -> None:
    (above.folder / "vendored" / "lib.py").write_text(SYNC)
    assert only(above.drift("HEAD", "vendored")).qualname == "get"


def test_what_a_partial_clone_lacks_is_not_judged(tmp_path: Path, repository: Repository) -> None:
    repository.commit("Then", {"lib.py": SYNC})
    git("config", "uploadpack.allowFilter", "true", cwd=repository.folder)
    url = f"file://{repository.folder}"
    git("clone", "--quiet", "--filter=blob:none", url, "partial", cwd=tmp_path)
    found = drift([tmp_path / "partial"], "start")
    (said,) = found.unjudged
    assert said.path == tmp_path / "partial" / "lib.py"
    assert "its content is not in this clone, which is partial" in said.why
    assert found.exit_code == 2


@pytest.mark.parametrize("name", ["größe", "été", "ß"])
def test_a_function_may_have_any_letters(repository: Repository, name: str) -> None:
    sources = {"lib.py": f"async def {name}(): ...\n"}
    repository.commit("Letters", {**sources, "caller.py": CALLER.replace("get", name)})
    repository.write({"lib.py": f"def {name}(): ...\n"})
    check(repository, repository.drift("HEAD"))


ODD = [
    b"a\\b.py",
    b"a\xff.py",
    b"a\nb.py",
    b"-a.py",
    b"a\x1b[31m.py",
    "\u202e.py".encode(),
    b'"a.py',
]


@pytest.mark.parametrize("output_format", ["full", "json-lines", "github"])
def test_every_name_is_judged_and_none_drives_a_terminal(
    repository: Repository, output_format: str
) -> None:
    names = [os.fsdecode(name) for name in ODD]
    for name in names:
        (repository.folder / name).write_text(CALLER)
    repository.commit("Odd \x1b[31m \u202e", {"lib.py": SYNC})
    found = repository.drift()
    assert {caller.path.name for caller in only(found).callers} == {"caller.py", *names}
    arguments = ("--output-format", output_format, "--since", "start", ".")
    done = in_process("audit", *arguments, cwd=repository.folder)
    lines = (done.stdout + done.stderr).split("\n")[:-1]
    assert done.returncode == 1
    assert len(lines) == 3 + len(names)
    assert all(map(str.isprintable, lines))
    if output_format == "json-lines":
        read = {json.loads(line)["file"] for line in done.stdout.splitlines()}
        assert read == {"caller.py", *names}


def test_a_file_that_may_not_be_read_is_not_judged(repository: Repository) -> None:
    repository.write({"lib.py": SYNC})
    (repository.folder / "caller.py").unlink()
    (repository.folder / "caller.py").symlink_to("caller.py")
    found = repository.drift()
    assert [(said.path.name, said.why.partition(":")[0]) for said in found.unjudged] == [
        ("caller.py", "cannot be read")
    ]
