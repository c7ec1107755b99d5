"""No name, value, file, stream or variable that a person gives ends in a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import leash
import pytest
from command import in_process
from processes import COMMAND, clean_environment

from netra_ws.auth.users import hash_password

ROOT = Path(__file__).parents[2]
CODES = {0, 1, 2, 130}
FAULTS = re.compile("Traceback|Exception ignored|a fault of its own|Fatal Python error")
SERVICES = ("serve", "--port", "0", "--auth-port", "0")
NOWHERE = "http://127.0.0.1:1"
PROBE = ("probe", "--base-url", NOWHERE, "--auth-url", NOWHERE)
SECRET = "a secret of more than thirty-two bytes"
LOGINS = [{"email": name, "password": "x"} for name in ("a", "b")]

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
pytestmark = posix


def judged(code: int, said: str, *, codes: set[int] = CODES) -> str:
    assert code in codes, said
    assert not FAULTS.search(said), said
    return said


# Paths

PATHS: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.write_bytes(b"x"),
    "an empty file": lambda path: path.touch(),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link in a circle": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to a full device": lambda path: path.symlink_to("/dev/full"),
    "a link to no end": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
}
NAMES = {
    "plain": "name.py",
    "below a file": "file/below.py",
    "below a circle": "circle/below.py",
    "too long": "x" * 300,
    "too deep": "/".join(["y" * 200] * 30),
    "with a line break": "a\nb",
    "not of text": "a\udcffb",
    "of other letters": "é漢",
}
PLACES = {
    **{what: ("name.py", make) for what, make in PATHS.items()},
    **{what: (name, PATHS["nothing"]) for what, name in NAMES.items()},
}
TAKES_A_PATH = {
    "serve --users": (*SERVICES, "--users"),
    "serve --settings": (*SERVICES, "--agent", "nothing:here", "--settings"),
    "serve --tree": ("serve", "--port", "-1", "--tree"),
    "checkout --into": ("checkout", "fixed", "--into"),
    "verify --tree": ("verify", "--tree"),
    "verify --junitxml": ("verify", "--junitxml"),
    "probe --logins": (*PROBE, "--logins"),
    "drill --project": ("drill", "--project"),
    "audit": ("audit",),
    "audit --python": ("audit", "app.py", "--python"),
    "audit --since": ("audit", "--since", "HEAD"),
    "fix": ("fix",),
    "fix --write": ("fix", "--write"),
    "walkthrough --notebooks": ("walkthrough", "--notebooks"),
    "walkthrough --build": ("walkthrough", "--notebooks", "none", "--build"),
    "notebooks": ("notebooks",),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("arguments", TAKES_A_PATH.values(), ids=list(TAKES_A_PATH))
def test_no_path_ends_in_a_traceback(
    arguments: tuple[str, ...],
    place: tuple[str, Callable[[Path], object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netra_ws.decoding.SILENT_S", 0.01)
    (tmp_path / "app.py").write_text("x = 1\n")
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    name, make = place
    make(tmp_path / name)
    done = in_process(*arguments, name, cwd=tmp_path)
    judged(done.returncode, done.stdout + done.stderr)
    if done.returncode == 2:
        assert done.stderr.count("netra-ws: ") == 1 or arguments[0] in {"audit", "fix"}


# Names and numbers

HOSTS = [
    "a..b",
    ".",
    "a" * 300,
    "é..",
    "a\udcffb",
    "256.256.256.256",
    "[::1]",
    "127.0.0.1:80",
    "a b",
]


@pytest.mark.parametrize(
    ("service", "host"),
    [*(("backend", host) for host in HOSTS), ("auth", HOSTS[0])],
    ids=ascii,
)
def test_no_host_ends_in_a_traceback(host: str, service: str, tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{"email": "a", "id": "a", "argon2": hash_password("x")}]))
    given = ["--users", users] if service == "auth" else []
    env = {"TEST_ENVIRONMENT": "staging", "NETRA_WS_SECRET": SECRET}
    arguments = [*SERVICES, f"--host={host}", "--service", service, *given]
    done = started(*arguments, cwd=tmp_path, env=env)
    (line,) = judged(done.returncode, done.stderr, codes={2}).splitlines()
    assert line.startswith("netra-ws: cannot listen on ")


@pytest.mark.parametrize("port", ["-1", "65536", "99999999999999999999", "x", "", "1e3"])
@pytest.mark.parametrize("option", ["--port", "--auth-port"])
def test_no_port_ends_in_a_traceback(option: str, port: str, tmp_path: Path) -> None:
    done = in_process("serve", f"{option}={port}", cwd=tmp_path)
    (line,) = judged(done.returncode, done.stderr, codes={2}).splitlines()
    assert f"'{option}'" in line


URLS = ["x", "http://a..b", "http://[::", "http://é", "http://\udcff", f"http://{'a' * 300}"]


@pytest.mark.parametrize("variable", ["STAGING_BASE_URL", "STAGING_AUTH_URL", "STAGING_EMAIL"])
@pytest.mark.parametrize("value", URLS, ids=ascii)
def test_no_address_ends_in_a_traceback(variable: str, value: str, tmp_path: Path) -> None:
    env = {f"STAGING_{name}": "x" for name in ("EMAIL", "PASSWORD", "PASSWORD_2")}
    env |= {"STAGING_BASE_URL": NOWHERE, "STAGING_AUTH_URL": NOWHERE, "STAGING_EMAIL_2": "y"}
    done = in_process("probe", cwd=tmp_path, env=env | {variable: value})
    judged(done.returncode, done.stdout + done.stderr, codes={1, 2})


# The environment


def started(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    command: tuple[str | Path, ...] = COMMAND,
    before: str = "",
    after: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell, with words before and after it."""
    buffered = {k: v for k, v in clean_environment().items() if k != "PYTHONUNBUFFERED"}
    shell = ["sh", "-c", f'{before} "$@" {after}', "sh", *command, *arguments]
    return leash.run(shell, cwd=cwd, env=buffered | dict(env or {}), errors="replace")


VARIABLES = [
    {"HOME": "/nothing"},
    {"TMPDIR": "/nothing"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"COLUMNS": "0"},
    {"COLUMNS": "-1"},
    {"COLUMNS": "²"},
    {"COLUMNS": "99999999999999999999"},
    {"TERM": "dumb", "NO_COLOR": "1"},
    {"VIRTUAL_ENV": "/nothing"},
    {"NETRA_WS_TREE": "/nothing"},
    {"NETRA_WS_COMMIT": "\udcff"},
    {"NETRA_WS_SECRET": "\udcff" * 40},
    {"TEST_ENVIRONMENT": "\udcff"},
    {"PATH": "/nothing"},
]
COMMANDS = {
    "help": ("--help",),
    "probe": (*PROBE, "--logins", "logins.json"),
    "audit": ("audit", "é.py"),
    "serve": (*SERVICES, "--agent", "nothing:here"),
}

QUICK = {name: arguments for name, arguments in COMMANDS.items() if name != "audit"}
READ_BY_ITS_ENGINE = {"HOME", "TMPDIR", "PATH", "VIRTUAL_ENV", "COLUMNS"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logins.json").write_text(json.dumps(LOGINS))
    (tmp_path / "é.py").write_text("async def f():\n    return await len('ä')\n")
    return tmp_path


@pytest.mark.parametrize("variables", VARIABLES, ids=ascii)
@pytest.mark.parametrize("arguments", QUICK.values(), ids=list(QUICK))
def test_no_variable_ends_in_a_traceback(
    arguments: tuple[str, ...], variables: dict[str, str], folder: Path
) -> None:
    done = in_process(*arguments, cwd=folder, env=variables)
    judged(done.returncode, done.stdout + done.stderr)


def test_no_variable_ends_an_audit_in_a_traceback(folder: Path) -> None:
    every = {name: value for one in VARIABLES for name, value in one.items()}
    for variables in ({k: v for k, v in every.items() if k in READ_BY_ITS_ENGINE}, every):
        done = in_process(*COMMANDS["audit"], cwd=folder, env=variables)
        judged(done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "latin-1"])
def test_what_an_encoding_has_not_is_shown_all_the_same(encoding: str, folder: Path) -> None:
    done = started("audit", "é.py", cwd=folder, env={"PYTHONIOENCODING": encoding})
    judged(done.returncode, done.stdout + done.stderr, codes={1})


@pytest.mark.parametrize("arguments", [*TAKES_A_PATH.values(), ("verify",), ("drill",)], ids=str)
def test_a_folder_that_is_gone_ends_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    given = "name" if arguments in TAKES_A_PATH.values() else ""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = started(*arguments, *filter(None, [given]), cwd=gone, before="rmdir ../gone;")
    (line,) = judged(done.returncode, done.stderr, codes={2}).splitlines()
    assert line.startswith("netra-ws: ")


# Streams

SHOWS = {**COMMANDS, "hash-password": ("hash-password", "--password", "x"), "serve": SERVICES}


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (">&-", "standard output is closed"),
        (">/dev/full", f"standard output: {os.strerror(28)}"),
        (">/dev/full PYTHONUNBUFFERED", f".*: {os.strerror(28)}"),
    ],
)
@pytest.mark.parametrize("arguments", SHOWS.values(), ids=list(SHOWS))
def test_standard_output_that_takes_nothing_is_a_2(
    arguments: tuple[str, ...], stream: str, why: str, folder: Path
) -> None:
    stream, _, variable = stream.partition(" ")
    env = {variable: "1"} if variable else {}
    done = started(*arguments, cwd=folder, after=stream, env=env)
    said = judged(done.returncode, done.stderr, codes={2}).splitlines()[-1]
    assert re.fullmatch(f"netra-ws: {why}", said)


@pytest.mark.parametrize("arguments", SHOWS.values(), ids=list(SHOWS))
def test_a_pipe_that_nobody_reads_is_a_2(arguments: tuple[str, ...], folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as nobody:
        command = [*COMMAND, *arguments]
        done = leash.run(command, cwd=folder, env=clean_environment(), stdout=nobody)
    said = judged(done.returncode, done.stderr, codes={2}).splitlines()[-1]
    assert said == f"netra-ws: standard output: {os.strerror(32)}"


@pytest.mark.parametrize(
    ("arguments", "code", "streams"),
    [
        (("audit", "é.py"), 1, "2>&-"),
        *(
            (arguments, code, streams)
            for arguments, code in ((("--help",), 0), (("nothing",), 2))
            for streams in ("2>&-", "2>/dev/full", "<&- 2>&-", "<&- >&- 2>&-")
        ),
    ],
    ids=str,
)
def test_whoever_hears_no_error_has_the_exit_code(
    arguments: tuple[str, ...], code: int, streams: str, folder: Path
) -> None:
    done = started(*arguments, cwd=folder, after=streams)
    assert done.returncode == (2 if ">&- 2" in streams else code)


def test_a_password_that_nobody_types_is_an_interruption(tmp_path: Path) -> None:
    done = started("hash-password", cwd=tmp_path, after="<&-", command=("setsid", *COMMAND))
    judged(done.returncode, done.stdout + done.stderr, codes={130})


# Agents

AGENTS = {
    "an interrupt": "raise KeyboardInterrupt",
    "an exit": "raise SystemExit(3)",
    "an exception of its own": "raise type('Odd', (BaseException,), {})('a\\nb')",
    "one that has no words": (
        "class Odd(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise Odd"
    ),
    "one of no text": "raise Exception('\\udcff')",
    "no Python": "def agent(:",
    "no text": "\0",
    "itself": "from broken import agent",
    "too deep": "def f(): return f()\nf()",
    "a name that raises": "def __getattr__(name): raise SystemExit",
    "an object that raises": (
        "class Odd:\n    def __getattr__(self, name): raise KeyboardInterrupt\nagent = Odd()"
    ),
    "closed streams": "import sys\nsys.stdout.close()\nsys.stderr.close()\nraise OSError",
    "what it prints": "print('x' * 100_000)\nraise StopIteration",
    "no function": "agent = 1",
    "another folder": "import os\nos.chdir('/nothing')",
}


@pytest.mark.parametrize("source", AGENTS.values(), ids=list(AGENTS))
def test_no_agent_ends_in_a_traceback(source: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)
    done = started(*SERVICES, "--agent", "broken:agent", cwd=tmp_path)
    said = judged(done.returncode, done.stderr, codes={2})
    if "close()" not in source:
        assert said.splitlines()[-1].startswith("netra-ws: agent 'broken:agent'")


@pytest.mark.parametrize("name", ["..:x", ".:x", "a.b:c", ":x", "x:", "os:nothing", "\udcff:x"])
def test_no_name_of_an_agent_ends_in_a_traceback(name: str, tmp_path: Path) -> None:
    done = started(*SERVICES, f"--agent={name}", cwd=tmp_path)
    (line,) = judged(done.returncode, done.stderr, codes={2}).splitlines()
    assert line.startswith("netra-ws: agent ")


# What else can be run here

OTHERS = {
    "docs": ("-m", "docs", "--help"),
    "benchmarks": ("-m", "benchmarks", "--from", "benchmarks/results.json", "--no-publish"),
    "benchmarks.audit": ("-m", "benchmarks.audit", "--help"),
    "environment": ("requirements/environment.py", "--help"),
    "lock": ("requirements/lock.py", "check"),
    "backend": ("-m", "netra_ws", "serve", "--port", "0", "--auth-port", "0"),
}


@pytest.mark.parametrize("stream", [">/dev/full", ">/dev/full 2>/dev/full", "2>/dev/full", ">&-"])
@pytest.mark.parametrize("other", [name for name in OTHERS if name != "backend"])
def test_no_stream_ends_another_command_in_a_traceback(other: str, stream: str) -> None:
    done = started(cwd=ROOT, after=stream, command=(sys.executable, *OTHERS[other]))
    judged(done.returncode, done.stdout + done.stderr)


def test_the_backend_by_itself_has_the_same_boundary(tmp_path: Path) -> None:
    command = (sys.executable, "-P", *OTHERS["backend"])
    done = started(cwd=tmp_path, after=">/dev/full", command=command)
    said = judged(done.returncode, done.stderr, codes={2}).splitlines()[-1]
    assert said == f"netra-ws: standard output: {os.strerror(28)}"


def test_an_environment_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = (sys.executable, ROOT / "requirements/environment.py", "file/\udcff")
    done = started(cwd=tmp_path, command=command)
    (line,) = judged(done.returncode, done.stderr, codes={1}).splitlines()
    assert "is not set up" in line


def test_no_tree_of_pytest_ends_in_a_traceback(tmp_path: Path) -> None:
    circle = tmp_path / "a\udcffb"
    circle.symlink_to(circle.name)
    quick = ("--override-ini=addopts=", "-pno:nbval", "-pno:hypothesispytest", "-pno:cacheprovider")
    command = (sys.executable, "-m", "pytest", *quick, "tests/unit/test_rates.py")
    done = started("--tree", circle, cwd=ROOT, command=command)
    judged(done.returncode, done.stdout + done.stderr, codes={4})


class Panic(BaseException):
    """As a library in Rust raises it: no `Exception`."""


@pytest.mark.parametrize(
    ("at", "arguments"),
    {
        "netra_incident.cli.checkout.checkout": ("checkout", "fixed", "--into", "x"),
        "await_audit.audit.audit": ("audit", "app.py"),
        "await_audit.audit.judge": ("audit", "--output-format", "json-lines", "app.py"),
        "await_audit.report.full": ("audit", "app.py"),
        "await_audit.editing.fix.propose": ("fix", "--write", "app.py"),
        "netra_incident.cli.drift.drift": ("audit", "--since", "HEAD", "app.py"),
    }.items(),
)
@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("oops"), Panic("oops"), RecursionError("oops"), KeyError("\udcff\x1b")],
)
def test_a_fault_of_ours_is_one_line_and_a_file(
    error: BaseException,
    at: str,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "app.py").write_text("x = 1\n")
    monkeypatch.setattr(at, broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = in_process(*arguments, cwd=tmp_path)
    assert done.returncode == 3
    (kept,) = tmp_path.glob("netra-ws-*.log")
    (line,) = done.stderr.splitlines()
    assert line.startswith("netra-ws: a fault of its own: ")
    assert type(error).__name__ in line
    assert line.endswith(f"; please report {kept}")
    assert line.isprintable()
    assert "in broken\n" in kept.read_text()


@pytest.mark.parametrize(
    "name", ["gone\x1b[31m", "gone\u202e", "gone\udcff", "gone\x7f"], ids=ascii
)
def test_a_name_does_not_drive_the_terminal(name: str, tmp_path: Path) -> None:
    done = in_process("audit", name, cwd=tmp_path)
    assert done.stderr == f"netra-ws: {ascii(name)[1:-1]}: no such file or folder\n"
