"""The incident as a git history: a release, harmless commits, `before`, `buggy`, `fixed`.

The package that is installed is `fixed`. Two patches, reversed on a copy of it, give the other
two. All of it goes through one `git fast-import`, with fixed authors and dates and with the
user's own git configuration shut out, so the same package gives the same commit ids everywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netra_incident.case import REVISIONS, Case, Revision
from netra_ws.errors import ConfigurationError

PACKAGE = Path(__file__).parents[2] / "netra_ws"
"""What every revision is made of: the backend beside what investigates it, whatever is imported."""

DAY_S = 86_400

Files = Mapping[str, bytes]
"""A tree: POSIX paths from the root of the repository, and what is in each file."""

IGNORED = b"__pycache__/\n.pytest_cache/\n.venv/\n"


class GitFailed(ConfigurationError):
    """Raised when git runs and ends with an exit code other than 0."""


def git(*arguments: str, cwd: Path, stdin: bytes | None = None) -> str:
    """Run git in `cwd` without the user's configuration and return what it printed.

    Raises `ConfigurationError` if git is missing, `GitFailed` if it fails.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        # A hook exports GIT_DIR and its like; with them git would work on the wrong repository.
        if not name.startswith("GIT_")
    }
    # What git runs, such as the judge of a bisection, must not find a package in the repository.
    paths = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths))
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        # Attributes are found without any configuration; and a tree may be somebody else's.
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "core.attributesFile",
        "GIT_CONFIG_VALUE_0": os.devnull,
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
        # Nor may it find a repository above the folder, where paths would mean something else.
        "GIT_CEILING_DIRECTORIES": str(cwd.resolve().parent),
        # Looking must not lock: somebody may be at work in the same repository.
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            input=stdin,
            env=environment,
            capture_output=True,
        )
    except FileNotFoundError as error:
        raise ConfigurationError("git was not found: install it, or add it to PATH") from error
    except OSError as error:
        raise ConfigurationError(f"git cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        why = " ".join(done.stderr.decode(errors="replace").split())
        raise GitFailed(f"git {arguments[0]} failed: {why}")
    return done.stdout.decode()


def package_files(package: Path = PACKAGE) -> dict[str, bytes]:
    """Return the files of a package under its name, compiled ones left out."""
    return {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def reverse(patch: Path, files: Files) -> dict[str, bytes]:
    """Return `files` without the change of `patch`.

    Raises `ConfigurationError` if the patch no longer applies.
    """
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as scratch:
        root = Path(scratch)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            # Without a repository around it git apply is a strict patch(1).
            git("apply", "--reverse", "--whitespace=nowarn", str(patch.resolve()), cwd=root)
        except GitFailed as error:
            msg = f"{patch.name} does not apply to {PACKAGE.name}: {error}"
            raise ConfigurationError(msg) from error
        return {name: (root / name).read_bytes() for name in files}


def revisions(case: Case, package: Path = PACKAGE) -> dict[str, dict[str, bytes]]:
    """Return the trees of `before`, `buggy` and `fixed`."""
    fixed = package_files(package)
    buggy = reverse(case.folder / "fix.patch", fixed)
    before = reverse(case.folder / "cause.patch", buggy)
    return {"before": before, "buggy": buggy, "fixed": fixed}


def _commits(case: Case, trees: Mapping[str, Files]) -> Iterator[tuple[str, str | None, Files]]:
    """Yield message, tag and tree of each commit, the oldest first."""
    notes = {".gitignore": IGNORED}
    history = case.history

    def tree(revision: str) -> dict[str, bytes]:
        return {**notes, **trees[revision]}

    yield history.release, "release-1", tree("before")
    for commit in history.harmless:
        if commit.broken:
            broken = tree("before")
            if commit.file not in broken:
                raise ConfigurationError(f"{commit.subject!r}: there is no {commit.file}")
            broken[commit.file] += commit.text.encode()
            yield commit.subject, None, broken
        else:
            notes[commit.file] = notes.get(commit.file, b"") + commit.text.encode()
            yield commit.subject, None, tree("before")
    for tagged, revision in zip(history.tagged, REVISIONS, strict=True):
        if tagged.file is not None:
            notes[tagged.file] = notes.get(tagged.file, b"") + tagged.text.encode()
        yield f"{tagged.subject}\n\n{tagged.body}", revision, tree(revision)


def _stream(case: Case, trees: Mapping[str, Files]) -> bytes:
    """Return the history as the input of ``git fast-import``."""
    lines: list[bytes] = []

    def data(content: bytes) -> None:
        lines.append(b"data %d\n%b\n" % (len(content), content))

    who = f"{case.history.author} <{case.history.email}>"
    for number, (message, tag, files) in enumerate(_commits(case, trees)):
        lines.append(b"commit refs/heads/history\n")
        when = case.history.start + number * DAY_S
        lines.append(f"committer {who} {when} +0000\n".encode())
        data(message.strip().encode() + b"\n")
        lines.append(b"deleteall\n")
        for name in sorted(files):
            lines.append(f"M 100644 inline {name}\n".encode())
            data(files[name])
        if tag is not None:
            lines.append(f"reset refs/tags/{tag}\nfrom refs/heads/history\n\n".encode())
    return b"".join(lines)


def changed_lines(repository: Path, *revisions: str) -> list[str]:
    """Return what changed between two revisions, or one and the files as they are now.

    Lines taken away and added, as ``git diff`` marks them, under the name of their file; without
    line numbers and ids, so that a notebook may show them.
    """
    changes = git("diff", "--no-color", "--unified=0", *revisions, cwd=repository).splitlines()
    named = [line.replace("--- a/", "", 1) for line in changes if not line.startswith("+++ ")]
    marks = ("diff ", "index ", "@@ ")
    return [line for line in named if not line.startswith(marks)]


def checkout(revision: Revision, into: Path) -> str:
    """Write the history of a case into `into`, at `revision`, and return the id of that commit.

    `into` must be new or empty. The branch `main` is at `revision`, so that commits, reverts and
    bisections go on from there; the tags name `release-1`, `before`, `buggy` and `fixed`.
    Raises `ConfigurationError` for a folder in use, or a missing git.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ConfigurationError(f"{into} is in use: expected a new or an empty folder")
    stream = _stream(revision.case, revisions(revision.case))
    into = into.resolve()
    new = [path for path in (into, *into.parents) if not path.exists()]
    try:
        into.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--template=", "--initial-branch=main", cwd=into)
        for setting in (
            "user.name=Incident walkthrough",
            "user.email=walkthrough@netra-ws.example",
            "core.autocrlf=false",
            "core.hooksPath=.git/hooks",
            "commit.gpgSign=false",
            "tag.gpgSign=false",
            "advice.detachedHead=false",
        ):
            name, _, value = setting.partition("=")
            git("config", name, value, cwd=into)
        (into / ".git" / "info").mkdir(exist_ok=True)
        (into / ".git" / "info" / "attributes").write_text("* -text\n")  # bytes as they are
        git("fast-import", "--quiet", cwd=into, stdin=stream)
        git("update-ref", "-d", "refs/heads/history", cwd=into)
        git("reset", "--quiet", "--hard", revision.name, cwd=into)
        return git("rev-parse", "HEAD", cwd=into).strip()
    except BaseException as error:
        # Leave no half of a history behind: the next try would call the folder in use.
        shutil.rmtree(new[-1] if new else into, ignore_errors=True)
        if not new:
            into.mkdir(exist_ok=True)
        if isinstance(error, OSError):
            raise ConfigurationError(f"{into}: {error.strerror}") from error
        raise


@contextmanager
def scratch_checkout(revision: Revision) -> Iterator[Path]:
    """Give a temporary folder with the history at `revision`."""
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        checkout(revision, Path(folder))
        yield Path(folder)
