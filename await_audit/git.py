"""A git repository, read without the user's configuration and without changing anything."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from await_audit.errors import AuditError

SETTINGS = {
    "core.abbrev": "auto",
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",  # would run a program that the repository names
    "core.quotePath": "false",
    "diff.orderFile": os.devnull,
    "log.follow": "false",
    "log.showSignature": "false",
    "safe.directory": "*",  # in a container the checkout often belongs to another user
}
"""Settings that would change what git prints, at the value that is expected here."""

RENAMES = ("--find-renames=50%", "-l2000", "--no-ext-diff", "--no-textconv", "--no-color")
"""How much of a file has to stay the same for it to have moved, and among how many files."""


LINK, SUBMODULE = "120000", "160000"
"""The modes of a symbolic link and of a submodule."""


class GitFailed(AuditError):
    """Raised when git runs and ends with an exit code other than 0."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as people name it."""

    id: str
    subject: str

    def __str__(self) -> str:
        """The abbreviated id and the subject."""
        return f"{self.id} ({self.subject})"


@dataclass(frozen=True, slots=True)
class Change:
    """How one file differs: its path before and after, each `None` where there is no file.

    `blob` is the id of its content before, `now` of that after, `None` for one that is only in
    the working tree. A submodule has neither: its files are another repository's.
    """

    before: str | None
    after: str | None
    blob: str | None
    now: str | None = None
    is_submodule: bool = False


class Repository:
    """The repository whose working tree a path lies in; `root` is the top of that tree."""

    def __init__(self, path: Path) -> None:
        """Find the repository of `path`. Raises `AuditError` if there is none."""
        self.root = path if path.is_dir() else path.parent
        try:
            top = self._git("rev-parse", "--show-toplevel").decode(errors="surrogateescape")
        except GitFailed as error:
            msg = f"{path}: --since needs a git working tree, and this lies in none ({error})"
            raise AuditError(msg) from error
        self.root = Path(top.rstrip("\n"))

    def _git(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> bytes:
        inherited = {
            name: value
            for name, value in os.environ.items()
            # A hook exports GIT_DIR and its like; git has to find the repository by its folder.
            if not name.startswith("GIT_")
        }
        settings = {"GIT_CONFIG_COUNT": str(len(SETTINGS))}
        for number, (key, value) in enumerate(SETTINGS.items()):
            settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        ours = settings | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",  # somebody may be at work in the same repository
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=folder or self.root,
                input=stdin,
                env=inherited | ours | dict(environment or {}),
                capture_output=True,
            )
        except FileNotFoundError as error:
            raise AuditError("git was not found: install it, or add it to PATH") from error
        except OSError as error:
            raise AuditError(f"git cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            why = " ".join(done.stderr.decode(errors="replace").split())
            raise GitFailed(f"git {arguments[0]}: {why or f'exit code {done.returncode}'}")
        return done.stdout

    def _line(self, *arguments: str) -> str:
        return self._git(*arguments).decode(errors="replace").strip()

    def base(self, since: str) -> tuple[str, Commit]:
        """Return the id of the commit to compare with, and the commit.

        It is `since` itself if the working tree comes after it, and else the last commit that
        both have in common, so that what others did after it is not taken for a change here.
        Raises `AuditError` for a revision that is unknown or has nothing in common.
        """
        shallow = self._line("rev-parse", "--is-shallow-repository") == "true"
        deepen = "; this clone is shallow: git fetch --unshallow" if shallow else ""
        if since.startswith("-"):
            raise AuditError(f"--since {since}: expected a revision, got an option")
        try:
            revision = self._line("rev-parse", "--verify", "--quiet", f"{since}^{{commit}}")
        except GitFailed as error:
            hint = deepen or "; git log names those there are, git fetch brings others"
            raise AuditError(f"--since {since}: no such revision{hint}") from error
        try:
            found = self._line("merge-base", revision, "HEAD")
        except GitFailed as error:
            hint = deepen or "; expected one that HEAD descends from"
            msg = f"--since {since}: nothing in common with HEAD{hint}"
            raise AuditError(msg) from error
        short, _, subject = self._line("show", "-s", "--format=%h %s", found).partition(" ")
        return found, Commit(short, subject)

    def python_files(self, given: Sequence[Path] = ()) -> tuple[str, ...]:
        """Return the Python files of the working tree that git does not ignore, sorted.

        Of the paths `given` those that git ignores have theirs in it as well.
        """
        listed = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        ignored = [os.path.relpath(path, self.root) for path in given if self._ignores(path)]
        if ignored:
            listed += self._git("ls-files", "-z", "--others", "--", *ignored)
        names = {name for name in _names(listed) if name.endswith(".py")}
        return tuple(sorted(name for name in names if _may_be_file(self.root / name)))

    def _ignores(self, path: Path) -> bool:
        folder, name = (path, ".") if path.is_dir() else (path.parent, f"./{path.name}")
        # It takes every path literally and refuses to be told so.
        literally = {"GIT_LITERAL_PATHSPECS": "0"}
        try:
            self._git("check-ignore", "--quiet", "--", name, folder=folder, environment=literally)
        except GitFailed:
            return False
        return True

    def ignored(self, folder: Path) -> set[Path]:
        """Return what git ignores below a folder, itself excepted; one path for a whole folder."""
        if self._ignores(folder):
            return set()
        which = ("--others", "--ignored", "--exclude-standard", "--directory")
        listed = self._git("ls-files", "-z", *which, folder=folder)
        return {folder / name for name in _names(listed)}

    def changes(self, revision: str) -> tuple[Change, ...]:
        """Return the Python files and submodules that differ: `revision`, and the working tree."""
        with self._index() as environment:
            # "--raw" names blobs; a file that moved is one change.
            how = ("--raw", "-z", "--ignore-submodules=untracked", *RENAMES)
            raw = self._git("diff", *how, revision, environment=environment)
        fields = iter(_names(raw))
        changes = (_change(field, fields) for field in fields)
        return tuple(change for change in changes if change is not None)

    @contextmanager
    def _index(self) -> Iterator[dict[str, str]]:
        """Give the environment of an index that has the untracked files as well.

        git takes a file for moved only if it knows the new place. Everything is written to a
        temporary folder: the repository's own index and objects stay as they are.
        """
        listed = self._git("ls-files", "-z", "--others", "--exclude-standard")
        untracked = [name for name in _names(listed) if name.endswith(".py")]
        if not untracked:
            yield {}
            return
        index, objects = (
            (self.root / self._line("rev-parse", "--git-path", name)).resolve()
            for name in ("index", "objects")
        )
        with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
            copy = Path(folder) / "index"
            if index.exists():
                shutil.copy2(index, copy)
            environment = {
                "GIT_INDEX_FILE": str(copy),
                "GIT_OBJECT_DIRECTORY": str(Path(folder) / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
            }
            (Path(folder) / "objects").mkdir()
            paths = b"".join(os.fsencode(name) + b"\0" for name in untracked)
            self._git(
                *("add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"),
                stdin=paths,
                environment=environment,
            )
            yield environment

    def log(self, path: str, revision: str, *extra: str) -> Iterator[tuple[Commit, Change]]:
        """Yield the commits after `revision` that changed a file, the newest first.

        `path` is that of HEAD; a rename is followed.
        """
        out = self._git(
            *("log", "--topo-order", "--follow", "--raw", "-z", "--format=%x01%h %s"),
            *(*RENAMES, *extra, f"{revision}..HEAD", "--", path),
        )
        commit = None
        fields = iter([name.lstrip("\n") for name in _names(out)])
        for field in fields:
            if field.startswith("\1"):
                short, _, subject = field[1:].partition(" ")
                commit = Commit(short, subject)
            elif commit is not None:
                change = _change(field, fields)
                if change is not None and not change.is_submodule:
                    yield commit, change

    def blob_at_head(self, path: str) -> str | None:
        """Return the id of a file's content at HEAD, or `None` if it is not there."""
        listed = self._git("ls-tree", "-z", "HEAD", "--", path).decode(errors="surrogateescape")
        return listed.split("\t")[0].split()[2] if listed else None

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Return contents by their ids; one that is missing is left out."""
        if not ids:
            return {}
        out = self._git("cat-file", "--batch", stdin="\n".join(ids).encode() + b"\n")
        contents: dict[str, bytes] = {}
        position = 0
        for wanted in ids:
            end = out.index(b"\n", position)
            head = out[position:end].split()
            position = end + 1
            if head[-1] != b"missing":
                size = int(head[2])
                contents[wanted] = out[position : position + size]
                position += size + 1
        return contents


def _may_be_file(path: Path) -> bool:
    """Whether there is a file, or something that may not be looked at."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _names(listed: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _change(head: str, paths: Iterator[str]) -> Change | None:
    """Read one file of ``--raw -z``: modes, ids and status, its path, and the one after a move.

    Returns `None` for a symbolic link and for what is not Python.
    """
    old, mode, blob, now, status = head.lstrip(":").split()
    before = next(paths)
    after = next(paths) if status[0] in "RC" else before
    if SUBMODULE in {old, mode}:
        return Change(before, after, None, is_submodule=True)
    if LINK in {old, mode} or not (before.endswith(".py") or after.endswith(".py")):
        return None
    return Change(
        before=None if status[0] == "A" else before,
        after=None if status[0] == "D" else after,
        blob=None if status[0] == "A" else blob,
        now=None if set(now) == {"0"} else now,
    )
