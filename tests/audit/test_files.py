"""Which files an audit judges, and what it says of those that it cannot read."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import git

from await_audit.audit import audit
from await_audit.errors import AuditError
from await_audit.files import find_files
from await_audit.search_path import search_path

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Go on as a user whom permissions bind."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def folder(tmp_path):
    """A folder that any user may read, whatever stands above it."""
    for above in (tmp_path, *tmp_path.parents[:3]):
        if above.stat().st_uid == os.geteuid():
            above.chmod(0o755)
    return tmp_path


def write(path: Path, data: bytes = b"x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_files_come_once_and_in_order(folder):
    first, second = write(folder / "a.py"), write(folder / "b" / "c.py")
    write(folder / "notes.txt")
    (folder / "d.py").symlink_to(first)
    assert find_files([folder, second, folder / "b"]).paths == [first, second]


def test_a_file_is_the_one_that_is_named(folder, monkeypatch):
    path = write(folder / "a.py")
    monkeypatch.chdir(folder)
    assert find_files([Path("a.py"), Path("./a.py")]).paths == [path]


@pytest.mark.parametrize(
    "name", [".hidden", "__pycache__", "node_modules", "site-packages", "env", "conda"]
)
def test_what_others_wrote_is_left_out_unless_it_is_asked_for(folder, name):
    path = write(folder / name / "a.py")
    if name == "env":
        write(folder / name / "pyvenv.cfg", b"home = /usr/bin\n")
    if name == "conda":
        write(folder / name / "conda-meta" / "history", b"")
    own = write(folder / "own.py")
    assert find_files([folder]).paths == [own]
    assert find_files([folder / name]).paths == [path]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            b"x = 1\ny = '\xe9'\n",
            "byte 0xe9 in line 2 is not utf-8; name the encoding in a coding line",
        ),
        (
            b"# coding: ascii\nx = '\xe9'\n",
            "byte 0xe9 in line 2 is not ascii; mend the coding line",
        ),
        (
            b"# \xe9 coding: ascii\nx = 1\n",
            "byte 0xe9 in line 1 is not ascii; mend the coding line",
        ),
        (b"\xef\xbb\xbfx = '\xe9'\n", "byte 0xe9 in line 1 is not utf-8"),
        *(
            (f"# coding: {name}\nx = 1\n".encode(), "its coding line names an unknown encoding")
            for name in ("klingon", "rot13", "undefined")
        ),
        (b"\xef\xbb\xbf# coding: latin-1\nx = 1\n", "names an unknown encoding, or one that it is"),
        (b"# \0\n", "it contains a null byte"),
        (b"x = '\0'\n", "it contains a null byte"),
    ],
)
def test_what_python_cannot_decode_is_not_judged(folder, data, why):
    path = write(folder / "a.py", data)
    files = find_files([folder])
    assert files.paths == []
    (said,) = files.unjudged
    assert (said.path, said.line) == (path, None)
    assert said.why.startswith("cannot be decoded: ")
    assert why in said.why


def test_another_encoding_is_read_by_its_coding_line(folder):
    path = write(folder / "a.py", "# coding: latin-1 é\nx = 'é'\n".encode("latin-1"))
    files = find_files([folder])
    assert files.recoded == {path: "# coding: latin-1 é\nx = 'é'\n"}
    assert files.text(path).line(2) == "x = 'é'"


def test_a_byte_order_mark_is_utf_8(folder):
    path = write(folder / "a.py", b"\xef\xbb\xbfx = 1\n")
    files = find_files([folder])
    assert (files.paths, files.recoded, files.unjudged) == ([path], {}, [])


def test_a_file_without_permission_is_not_judged(folder):
    path = write(folder / "a.py")
    path.chmod(0)
    with unprivileged():
        files = find_files([folder])
    assert [(said.path, said.why) for said in files.unjudged] == [
        (path, f"cannot be read: {os.strerror(errno.EACCES).lower()}")
    ]


def test_a_folder_without_permission_is_not_judged(folder):
    closed, own = folder / "closed", write(folder / "own.py")
    write(closed / "a.py")
    closed.chmod(0)
    try:
        with unprivileged():
            files = find_files([folder])
    finally:
        closed.chmod(0o755)
    assert files.paths == [own]
    assert [(said.path, said.why) for said in files.unjudged] == [
        (closed, f"cannot be read: {os.strerror(errno.EACCES).lower()}")
    ]


@pytest.mark.parametrize("depth", [100, 1200])
def test_a_file_far_down_is_judged_or_named(folder, depth):
    path = folder
    for _ in range(depth):
        path /= "d"
        path.mkdir()
    path = write(path / "a.py")
    files = find_files([folder])
    path.unlink()
    for above in path.parents[:depth]:  # shutil.rmtree, which goes as deep, would fail
        above.rmdir()
    assert files.paths == ([path] if depth == 100 else [])
    assert [said.path for said in files.unjudged] == ([] if depth == 100 else [path])
    assert search_path(folder, [path], {}) == (folder,)


def test_a_link_to_a_folder_above_it_is_not_followed(folder):
    path = write(folder / "a" / "b.py")
    (folder / "a" / "again").symlink_to(folder)
    files = find_files([folder])
    assert files.paths == [path]
    assert [said.path for said in files.unjudged] == [folder / "a" / "again"]
    assert "symbolic link to a folder above it" in files.unjudged[0].why


@pytest.mark.parametrize("name", ["loop", "loop.py"])
def test_a_link_to_itself_is_not_judged(folder, name):
    own = write(folder / "own.py")
    (folder / name).symlink_to(folder / name)
    files = find_files([folder])
    assert files.paths == [own]
    assert [said.path.name for said in files.unjudged] == [name]
    assert "symbolic links" in files.unjudged[0].why


def test_a_link_to_nothing_is_not_judged(folder):
    (folder / "a.py").symlink_to(folder / "gone.py")
    (said,) = find_files([folder]).unjudged
    assert said.why == "cannot be read: no such file or directory"


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "a.py")
    (said,) = find_files([folder]).unjudged
    assert said.why == "is not a regular file"


NO_NAMES = [b"a\\b.py", b"a\xff.py", b"d\\e/a.py", b"d\xff/a.py"]


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_a_name_that_no_type_checker_reads_is_not_judged_and_the_others_are(folder, name):
    own, path = write(folder / "own.py"), write(folder / os.fsdecode(name))
    files = find_files([folder])
    assert files.paths == [own]
    assert [(said.path, "rename it" in said.why) for said in files.unjudged] == [(path, True)]


NAMES = [
    "a\nb.py",
    "-a.py",
    "a\x1b[31m.py",
    "a\u202e.py",
    "[a]*?.py",
    "{a}.py",
    "é\x7f😀.py",
    "#!.py",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_other_name_is_judged(folder, name):
    path = write(folder / name, b"async def main():\n    await 1\n")
    report = audit([folder], python=Path(sys.executable), root=folder)
    assert ([one.path for one in report.findings], report.unjudged) == ([path], ())


@pytest.fixture
def repository(folder):
    git("init", "--quiet", cwd=folder)
    (folder / ".gitignore").write_text("build/\n*_made.py\n.venv/\n")
    write(folder / "own.py")
    for name in ("build/lib/a.py", "build/b.py", "sub/c_made.py", "sub/d.py", ".venv/e.py"):
        write(folder / name)
    return folder


def test_what_git_ignores_is_left_out_and_counted(repository):
    files = find_files([repository])
    assert files.paths == [repository / "own.py", repository / "sub" / "d.py"]
    assert len(files.ignored) == 3  # and not what is left out at any rate
    sub = find_files([repository / "sub"])
    assert (sub.paths, len(sub.ignored)) == ([repository / "sub" / "d.py"], 1)


@pytest.mark.parametrize("name", ["build", "build/lib", "build/b.py", "sub/c_made.py"])
def test_a_path_that_is_given_is_judged_even_so(repository, name):
    files = find_files([repository / name])
    assert (len(files.paths) > 0, files.ignored) == (True, set())
    both = find_files([repository, repository / name])
    assert set(files.paths) < set(both.paths)
    assert len(both.ignored) == 3 - len(files.paths)


def test_nothing_but_what_git_ignores_is_an_error(repository):
    (repository / "sub" / "d.py").unlink()
    with pytest.raises(AuditError, match=r"found none but 1 that git ignores; give another path$"):
        find_files([repository / "sub"])


@pytest.mark.parametrize("broken", ["bare", "no repository", "no HEAD", "a lock"])
def test_without_a_repository_that_git_reads_nothing_is_ignored(repository, broken):
    head = repository / ".git" / "HEAD"
    match broken:
        case "bare":
            git("config", "core.bare", "true", cwd=repository)
        case "no repository":
            head.parent.rename(repository / "elsewhere")
            (repository / ".git").write_text("gitdir: nowhere\n")
        case "no HEAD":
            head.write_text("?\n")
        case "a lock":
            (repository / ".git" / "index.lock").touch()
    assert len(find_files([repository]).ignored) == (3 if broken == "a lock" else 0)


def test_without_git_nothing_is_ignored(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert len(find_files([repository]).paths) == 5


def test_what_a_repository_within_ignores_is_left_out_too(repository):
    within = repository / "within"
    write(within / "a.py")
    write(within / "gone.py")
    git("init", "--quiet", cwd=within)
    (within / ".gitignore").write_text("gone.py\n")
    files = find_files([repository])
    assert within / "a.py" in files.paths
    assert within / "gone.py" in files.ignored


@pytest.mark.parametrize("made", ["socket", "device"])
def test_what_is_no_file_is_not_read(folder, made, monkeypatch):
    monkeypatch.chdir(folder)  # the name of a socket is short
    if made == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("a.py")
    else:
        (folder / "a.py").symlink_to("/dev/zero")
    (said,) = find_files([folder]).unjudged
    assert said.why == "is not a regular file"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "expected Python files"),
        ("gone", "no such file or folder"),
        ("notes.txt", "expected a Python file"),
    ],
)
def test_nothing_to_judge_is_an_error(folder, name, words):
    (folder / "empty").mkdir()
    write(folder / "notes.txt")
    with pytest.raises(AuditError, match=words):
        find_files([folder / name])


def test_imports_start_at_the_root_and_where_the_project_says(folder):
    package = write(folder / "src" / "app" / "__init__.py").parent
    write(folder / "tests" / "test_app.py")
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = ["tests/support"]\n'
    )
    files = find_files([folder]).paths
    environment = {"PYTHONPATH": os.pathsep.join([str(folder / "lib"), ""])}
    assert search_path(folder, files, environment) == (
        folder,
        folder / "lib",
        folder / "tests" / "support",
        package.parent,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\npythonpath = one two\n"),
        ("setup.cfg", "[tool:pytest]\npythonpath =\n  one\n  two\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = "one two"\n'),
    ],
)
def test_the_path_of_pytest_is_read_from_each_of_its_files(folder, name, text):
    (folder / name).write_text(text)
    assert search_path(folder, [], {}) == (folder, folder / "one", folder / "two")


def test_settings_that_cannot_be_read_name_no_folder(folder):
    (folder / "pyproject.toml").write_text("[tool\n")
    (folder / "setup.cfg").write_bytes(b"\xff")
    assert search_path(folder, [], {}) == (folder,)


def test_imports_start_in_the_src_of_the_project_wherever_the_audit_does(folder):
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = "lib"\n')
    write(folder / "src" / "names" / "core.py")
    path = write(folder / "tests" / "unit" / "test_app.py")
    here = folder / "tests" / "unit"
    expected = {here, folder / "lib", folder / "src"}
    assert set(search_path(here, [path], {})) == expected
    assert set(search_path(folder / "elsewhere", [path], {})) == {
        *(expected - {here}),
        *(folder / "elsewhere", here),
    }


def test_a_src_folder_that_was_given_is_one_without_a_project(folder):
    path = write(folder / "src" / "names" / "core.py")
    assert folder / "src" in search_path(folder, [path], {})
    write(folder / "src" / "__init__.py")
    assert folder / "src" not in search_path(folder, [path], {})


def test_of_two_packages_with_one_name_neither_is_preferred(folder):
    for parent in ("a", "b"):
        write(folder / parent / "app" / "__init__.py")
    assert search_path(folder, find_files([folder]).paths, {}) == (folder,)


def test_a_package_outside_of_the_root_is_found(folder):
    write(folder / "there" / "app" / "__init__.py")
    write(folder / "scripts" / "run.py")
    files = find_files([folder]).paths
    here = folder / "here"
    assert search_path(here, files, {}) == (here, folder / "scripts", folder / "there")
