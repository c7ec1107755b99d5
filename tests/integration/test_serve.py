"""The contract of ``netra-ws serve``: its one line, its exit codes, its signals, its tree."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import leash
import plain_client
import pytest
from limits import HANG_S
from plain_client import (
    COMPLETE,
    converse,
    dial,
    log_in,
    outcome,
    post_login,
    read_until,
    refusal,
    request,
    run_sessions,
    tally,
)
from processes import (
    COMMAND,
    RunNetraWs,
    Serve,
    clean_environment,
    fake_git,
    git,
    netra_ws,
)

from netra_incident.case import told_case
from netra_incident.history.checkout import PACKAGE, checkout
from netra_incident.history.deployment import Deployment, deploy
from netra_incident.history.tree import commit_of, tree_environment
from netra_ws.serving.command_line import INTERRUPTED

ROOT = Path(__file__).parents[2]
SCRIPT = (str(Path(sysconfig.get_path("scripts")) / "netra-ws"),)
MODULE = (sys.executable, "-m", "netra_incident")
COMMIT = re.compile("[0-9a-f]{40}")
SECRET = "a secret of more than thirty-two bytes"
NO_GIT = {"PATH": "/nonexistent"}
STAGING = {"TEST_ENVIRONMENT": "staging", "NETRA_WS_SECRET": SECRET}


async def endpoints(backend: str) -> dict[str, int]:
    return {path: (await request(backend + path)).status for path in plain_client.ENDPOINTS}


def statuses(status: int) -> dict[str, int]:
    return dict.fromkeys(plain_client.ENDPOINTS, status)


def left_in(folder: Path) -> list[Path]:
    """Return what a process has left behind."""
    return list(folder.iterdir())


# The one line on standard output


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
async def test_one_json_line_on_stdout_and_everything_else_on_stderr(
    command: tuple[str, ...], serve: Serve
) -> None:
    server = serve(command=command)
    announcement = json.loads(server.line)
    assert list(announcement) == ["backend", "auth", "revision", "pid", "demo_users", "open"]
    assert announcement["pid"] == server.process.pid
    assert announcement["revision"] == "fixed"
    assert len(announcement["demo_users"]) == 3
    for url in (announcement["backend"], announcement["auth"]):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    for user in announcement["demo_users"]:
        assert set(user) == {"email", "password"}
        assert (await post_login(server.auth, user)).status == 200
    login = await log_in(server.auth, server.users[0])
    assert outcome(await converse(server.backend, login, "hello")) == COMPLETE
    await asyncio.to_thread(server.stop)
    assert server.line.endswith("\n")
    assert server.rest_of_stdout() == ""
    assert {"listening", "stopping", "stopped"} <= {line["event"] for line in server.log()}


def test_a_terminal_gets_the_address_to_open_on_a_line_of_its_own(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        (tmp_path / "server.log").open("w") as stderr,
    ):
        server = leash.start(
            [*MODULE, "serve", "--port", "0", "--auth-port", "0"],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=stderr,
        )
        os.close(theirs)
        shown = b""
        try:
            while not (found := re.search(rb"\r\nOpen (\S+)\r\n", shown)):
                assert select.select([terminal], [], [], HANG_S)[0]
                shown += terminal.read(4096)
        finally:
            leash.end(server)
    announcement = json.loads(shown.splitlines()[0])
    assert found[1].decode() == announcement["open"]
    assert announcement["open"].startswith(f"{announcement['backend']}/#user1%40demo.example=")


def test_passwords_are_those_of_one_start(before: Deployment, fixed: Deployment) -> None:
    assert [user.email for user in before.users] == [user.email for user in fixed.users]
    passwords = {user.password for services in (before, fixed) for user in services.users}
    assert len(passwords) == len(before.users) + len(fixed.users)


async def test_what_strangers_send_stays_one_json_line_in_the_log(serve: Serve) -> None:
    """And no secret is in any."""
    server = serve("--demo-users", "2", env={"NETRA_WS_SECRET": SECRET})
    assert len(server.users) == 2
    await post_login(server.auth, {"email": 'x\n{"event": "forged"}\n', "password": "x"})
    await refusal(server.backend, "no.such\ttoken")
    server.stop()
    assert {line["event"] for line in server.log()} == {
        "listening",
        "login refused",
        "token refused",
        "stopping",
        "stopped",
    }
    for word in (SECRET, *(user.password for user in server.users)):
        assert word not in server.stderr()


TALKING_AGENT = """
import os
import subprocess


def talk(when):
    print("printed", when)
    os.write(1, f"written {when}\\n".encode())
    subprocess.run(["echo", "echoed", when], check=True)


talk("at import")


async def talker(run, message):
    talk("in a run")
    return "I talked."
"""


async def test_what_an_agent_prints_goes_to_stderr(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text(TALKING_AGENT)
    server = serve("--agent", "talking:talker", "--demo-users", "1")
    login = await log_in(server.auth, server.users[0])
    session = await converse(server.backend, login, "hello")
    assert plain_client.run_fault(session.frames[1:-1]) is None
    await asyncio.to_thread(server.stop)
    assert server.rest_of_stdout() == ""
    for when in ("at import", "in a run"):
        for how in ("printed", "written", "echoed"):
            assert f"{how} {when}\n" in server.stderr()


# Users of one's own


@pytest.fixture(scope="session")
def hashed() -> str:
    """What ``netra-ws hash-password`` prints for `correct horse`."""
    done = netra_ws("hash-password", "--password", "correct horse", cwd=ROOT)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


@pytest.fixture
def users_file(tmp_path: Path, hashed: str) -> Path:
    path = tmp_path / "users.json"
    users = [{"email": "ada@example.org", "id": "ada-1", "argon2": hashed}]
    path.write_text(json.dumps(users))
    return path


ADA = SimpleNamespace(email="ada@example.org", password="correct horse")


async def test_a_users_file(serve: Serve, users_file: Path) -> None:
    server = serve("--users", users_file)
    assert server.users == []
    login = await log_in(server.auth, ADA)
    assert login.user_id == "ada-1"
    wrong = {"email": ADA.email, "password": "wrong"}
    assert (await post_login(server.auth, wrong)).status == 401
    assert outcome(await converse(server.backend, login, "hello")) == COMPLETE


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory that counts is Linux's")
def test_a_hash_that_has_no_memory_is_said() -> None:
    shell = f"ulimit -v 120000; exec {sys.executable} -m netra_ws hash-password --password x"
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, timeout=HANG_S)
    (line,) = done.stderr.splitlines()
    assert line.startswith("netra-ws: a password cannot be hashed: ")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_hash_has_a_salt_of_its_own(hashed: str, in_process: RunNetraWs) -> None:
    again = in_process("hash-password", "--password", "correct horse", cwd=ROOT).stdout.strip()
    assert again != hashed
    assert again.startswith("$argon2id$")
    assert hashed.startswith("$argon2id$")


async def test_staging(serve: Serve, users_file: Path) -> None:
    """A token outlives its process if the secret does."""
    first, second = (serve("--users", users_file, env=STAGING) for _ in range(2))
    assert first.announcement["demo_users"] == []
    login = await log_in(first.auth, ADA)
    for server in (first, second):
        assert outcome(await converse(server.backend, login, "hello")) == COMPLETE
    assert await endpoints(first.backend) == statuses(200)
    assert (await refusal(first.backend, None, path="/ws/test")).status == 404


async def test_the_echo_is_there_locally_and_no_git_is_needed(serve: Serve) -> None:
    server = serve("--demo-users", "0", env=NO_GIT)
    assert server.users == []
    async with dial(server.backend, None, "/ws/test") as echo:
        for message in ("text", b"bytes"):
            await echo.send(message)
            async with asyncio.timeout(HANG_S):
                assert await echo.recv() == message


# Signals


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_twenty_idle_connections(signum: int, serve: Serve) -> None:
    server = serve("--demo-users", "20")
    logins = await plain_client.log_in_all(server)
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(dial(server.backend, login.token)) for login in logins
        ]
        for one in sockets:
            await read_until(one, "connection_ready")
        assert await asyncio.to_thread(server.stop, signum) == 0
        async with asyncio.timeout(HANG_S):
            await asyncio.gather(*(one.wait_closed() for one in sockets))
    assert {one.close_code for one in sockets} == {1012}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_leaves_nothing_behind(
    signum: int, tmp_path: Path, scratch: Path
) -> None:
    """At many moments, for the checkout of a revision, and what must delete it, take a while."""

    def code_when_ended_after(seconds: float) -> int:
        with leash.started(
            [*COMMAND, "serve", "--port", "0", "--auth-port", "0", "--revision", "buggy"],
            cwd=tmp_path,
            env=clean_environment() | {"TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.send_signal(signum)
            _, said = process.communicate(timeout=HANG_S)
        # In the midst of an import Python can answer with another exception, raised from this one.
        is_python = process.returncode == 1 and b"KeyboardInterrupt" in said
        return -signum if is_python else process.returncode

    with ThreadPoolExecutor(2) as pool:
        codes = set(pool.map(code_when_ended_after, [0.1, 0.25, 0.4, 0.6]))
    # Before the command has begun, and while it ends, Python itself answers a signal; while the
    # command is imported, the command line does, as for any other command.
    assert codes <= {0, -signum, -signal.SIGINT, INTERRUPTED}
    assert left_in(scratch) == []


def test_a_signal_in_the_midst_of_the_checkout_leaves_nothing_behind(
    tmp_path: Path, scratch: Path
) -> None:
    env = fake_git(tmp_path, '[ "$1" != fast-import ] || kill -TERM $PPID')
    done = netra_ws(
        *("serve", "--port", "0", "--auth-port", "0", "--revision", "buggy"),
        cwd=tmp_path,
        env={"TMPDIR": str(scratch), **env},
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert left_in(scratch) == []


def test_a_signal_while_an_agent_is_imported_is_no_fault_of_the_agent(tmp_path: Path) -> None:
    (tmp_path / "slow_agent.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"
    )
    arguments = ("--port", "0", "--auth-port", "0", "--agent", "slow_agent:agent")
    done = netra_ws("serve", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_supervised_server_ends_when_its_stdin_closes(serve: Serve, scratch: Path) -> None:
    server = serve("--revision", "buggy", env={"NETRA_WS_SUPERVISED": "1"}, stdin=subprocess.PIPE)
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(HANG_S) == 0
    assert left_in(scratch) == []


def test_a_supervised_server_without_stdin_ends_by_itself(serve: Serve) -> None:
    without_stdin = ("sh", "-c", 'exec "$@" <&-', "sh", *COMMAND)
    server = serve(command=without_stdin, env={"NETRA_WS_SUPERVISED": "1"})
    assert server.process.wait(HANG_S) == 0
    assert {"listening", "stopped"} <= {line["event"] for line in server.log()}


# What it refuses

BROKEN_FILES = {
    "not_json.json": "[",
    "not_a_list.json": "{}",
    "no_hash.json": '[{"email": "ada@example.org", "id": "ada"}]',
    "surplus.json": '[{"email": "a@example.org", "id": "a", "argon2": "x", "admin": true}]',
    "wrong_hash.json": '[{"email": "ada@example.org", "id": "ada", "argon2": "correct horse"}]',
    "no_tag.json": '[{"email": "ada@example.org", "id": "ada",'
    ' "argon2": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$"}]',
    "latin_1.json": '[{"email": "adä@example.org", "id": "ada", "argon2": "HASH"}]',
    "colon.json": '[{"email": "ada@example.org", "id": "service:health", "argon2": "HASH"}]',
    "twice.json": '[{"email": "a@x.org", "id": "a", "argon2": "HASH"},'
    ' {"email": "a@x.org", "id": "b", "argon2": "HASH"}]',
    "module_with_error.py": "raise RuntimeError('first line\\nsecond line')\n",
    "module_with_exit.py": "import sys\nsys.exit(3)\n",
    "module_with_typo.py": "def agent(:\n",
    "module_with_value.py": "agent = 3\n",
    "module_with_class.py": "class Agent:\n    async def __call__(self, run, message): ...\n",
    "empty/readme.txt": "no package here",
    "nobody.json": "[]",
    "typo/netra_ws/__init__.py": "\n\ndef (:\n",
    "null/netra_ws/__init__.py": "\0",
}

REFUSED: dict[str, tuple[list[str], dict[str, str], str]] = {
    "unknown revision": (["--revision", "nope"], {}, "'nope'.*before.*buggy.*fixed"),
    "revision without git": (["--revision", "buggy"], NO_GIT, "^netra-ws: git was not found"),
    "agent not there": (["--agent", "no_such_module:agent"], {}, "no_such_module"),
    "agent without that name": (["--agent", "module_with_value:nope"], {}, "nope"),
    "agent that raises": (["--agent", "module_with_error:agent"], {}, "first line second line"),
    "agent that exits": (["--agent", "module_with_exit:agent"], {}, "SystemExit: 3"),
    "agent with a typo": (["--agent", "module_with_typo:agent"], {}, "SyntaxError"),
    "agent not callable": (
        ["--agent", "module_with_value:agent"],
        {},
        "expected an async function, got int",
    ),
    "agent that is a class": (
        ["--agent", "module_with_class:Agent"],
        {},
        "expected an async function, got type",
    ),
    "a number of websockets that is none": (
        [],
        {"WEBSOCKETS_MAX_FRAGMENTS": "many"},
        "WEBSOCKETS_MAX_FRAGMENTS: expected a number, got 'many'",
    ),
    "agent without colon": (["--agent", "module_with_value"], {}, "expected module:callable"),
    "agent without name": (["--agent", "module_with_value:"], {}, "expected module:callable"),
    "users file not there": (
        ["--users", "nope.json"],
        {},
        f"nope.json: {os.strerror(errno.ENOENT)}",
    ),
    "users file is a folder": (["--users", "empty"], {}, f"empty: {os.strerror(errno.EISDIR)}"),
    "users file not JSON": (
        ["--users", "not_json.json"],
        {},
        "not_json.json: expected JSON, got an early end",
    ),
    "users file not UTF-8": (
        ["--users", "latin_1.json"],
        {},
        "latin_1.json: expected UTF-8, got something else at byte ",
    ),
    "users file not a list": (
        ["--users", "not_a_list.json"],
        {},
        "not_a_list.json: expected a list",
    ),
    "users file without users": (["--users", "nobody.json"], {}, "nobody.json: .*got none"),
    "user without hash": (["--users", "no_hash.json"], {}, "argon2"),
    "user with a surplus field": (["--users", "surplus.json"], {}, "admin"),
    "user with a wrong hash": (["--users", "wrong_hash.json"], {}, "netra-ws hash-password"),
    "user with a hash cut off": (["--users", "no_tag.json"], {}, "netra-ws hash-password"),
    "user with a service's id": (["--users", "colon.json"], {}, "no colon"),
    "user twice": (["--users", "twice.json"], {}, "twice"),
    "users file and demo users": (
        ["--users", "not_json.json", "--demo-users", "1"],
        {},
        "--users and --demo-users exclude each other",
    ),
    "demo users below 0": (["--demo-users", "-1"], {}, "--demo-users"),
    "port out of range": (["--port", "65536"], {}, "--port"),
    "production": ([], {"TEST_ENVIRONMENT": "production"}, "expected local or staging"),
    "local in upper case": ([], {"TEST_ENVIRONMENT": "LOCAL"}, "expected local or staging"),
    "local on every address": (["--host", "0.0.0.0"], {}, "loopback only"),
    "local on every address, IPv6": (["--host", "::"], {}, "loopback only"),
    "local on another host": (["--host", "example.org"], {}, "loopback only"),
    "short secret": ([], {"NETRA_WS_SECRET": "x" * 31}, "31 bytes, expected at least 32"),
    "secret not UTF-8": ([], {"NETRA_WS_SECRET": "\udcff" * 40}, "NETRA_WS_SECRET"),
    "staging without secret": (
        ["--users", "not_json.json"],
        {"TEST_ENVIRONMENT": "staging"},
        "NETRA_WS_SECRET",
    ),
    "staging with a short secret": (
        ["--users", "not_json.json"],
        STAGING | {"NETRA_WS_SECRET": "short"},
        "at least 32",
    ),
    "staging without users": ([], STAGING, "expected --users FILE"),
    "staging with demo users": (["--demo-users", "3"], STAGING, "expected --users FILE"),
    "tree without a package": (["--tree", "empty"], {}, "holds no package netra_ws"),
    "tree with a typo": (["--tree", "typo"], {}, r"__init__.py:3: .+; mend it"),
    "tree with a null byte": (["--tree", "null"], {}, r"__init__.py:1: .+; mend it"),
    "tree not there": (["--tree", "nope"], {}, "--tree.*nope.* See netra-ws serve --help"),
    "revision and tree": (["--revision", "buggy", "--tree", "empty"], {}, "exclude each other"),
    "another tree than asked for": ([], {"NETRA_WS_TREE": "empty"}, "netra_ws came from .*empty"),
    "revision, then a broken agent": (
        ["--revision", "buggy", "--agent", "module_with_error:agent"],
        {},
        "first line second line",
    ),
}


@pytest.fixture
def broken_files(tmp_path: Path, hashed: str) -> Path:
    """A working directory with everything in it that `serve` should not accept."""
    folder = tmp_path / "broken"
    for name, content in BROKEN_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("HASH", hashed), encoding="latin-1")
    return folder


def assert_refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error that says why."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("netra-ws: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.endswith("\n")
    assert re.search(words, done.stderr), done.stderr


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_line_and_exit_code_2(
    case: str, broken_files: Path, scratch: Path, run_netra_ws: RunNetraWs
) -> None:
    arguments, env, words = REFUSED[case]
    ports = [] if "--port" in arguments else ["--port", "0", "--auth-port", "0"]
    done = run_netra_ws(
        "serve", *ports, *arguments, cwd=broken_files, env={"TMPDIR": str(scratch), **env}
    )
    assert_refused(done, words)
    assert left_in(scratch) == []


def test_a_git_that_cannot_be_run_is_refused(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\n")
    env = {"PATH": str(tmp_path), "TMPDIR": str(scratch)}
    done = netra_ws("serve", "--revision", "buggy", cwd=tmp_path, env=env)
    assert_refused(done, f"^netra-ws: git cannot be run: {os.strerror(errno.EACCES)}$")
    assert left_in(scratch) == []


@pytest.mark.parametrize(("option", "revision"), [("--port", None), ("--auth-port", "before")])
def test_a_taken_port_is_refused(
    option: str,
    revision: str | None,
    tmp_path: Path,
    scratch: Path,
    run_netra_ws: RunNetraWs,
) -> None:
    other = "--auth-port" if option == "--port" else "--port"
    chosen = [] if revision is None else ["--revision", revision]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_netra_ws(
            *("serve", option, port, other, "0", *chosen),
            cwd=tmp_path,
            env={"TMPDIR": str(scratch)},
        )
    assert_refused(done, rf"port {port}: .*in use; choose another {option}, or 0")
    assert left_in(scratch) == []


# Which code it runs


@pytest.mark.parametrize(("revision", "status"), [("before", 200), ("buggy", 500), ("fixed", 200)])
async def test_a_revision_runs_its_own_code_and_cleans_up(
    revision: str, status: int, serve: Serve, scratch: Path, tmp_path: Path
) -> None:
    server = serve("--revision", revision)
    assert server.announcement["revision"] == revision
    assert server.announcement["pid"] == server.process.pid
    assert await endpoints(server.backend) == statuses(status)
    assert server.stop() == 0
    assert server.rest_of_stdout() == ""
    assert left_in(scratch) == []
    (commit,) = {line["commit"] for line in server.log() if "commit" in line}
    assert commit == checkout(told_case().revision(revision), tmp_path / "history")


async def test_health_shows_the_commit_and_never_the_label(before: Any, fixed: Any) -> None:
    for services in (before, fixed):
        health = await request(f"{services.backend}/ws/health")
        assert COMMIT.fullmatch(health.json()["commit"])
        assert services.revision not in health.body.decode()


@pytest.mark.parametrize(
    ("command", "revision", "status"),
    [(SCRIPT, "buggy", 500), (MODULE, "fixed", 200)],
    ids=["script", "module"],
)
async def test_the_working_directory_does_not_come_first(
    command: tuple[str, ...], revision: str, status: int, serve: Serve
) -> None:
    """With ``PYTHONPATH="${PYTHONPATH}:$(pwd)"`` in the repository, as the plan exports it."""
    path = {"PYTHONPATH": f":{ROOT}"}
    server = serve("--revision", revision, command=command, cwd=ROOT, env=path)
    assert await endpoints(server.backend) == statuses(status)


async def test_a_revision_is_made_of_the_package_beside_the_investigator(
    serve: Serve, trees: dict[str, Path]
) -> None:
    """An empty entry of PYTHONPATH in the folder of another revision brings that revision."""
    server = serve("--revision", "fixed", cwd=trees["buggy"], env={"PYTHONPATH": ":"})
    assert await endpoints(server.backend) == statuses(200)


@pytest.mark.parametrize(
    "inherited", [{"NETRA_WS_TREE": str(PACKAGE.parent)}, {"NETRA_WS_REVISION": "buggy"}]
)
async def test_what_is_inherited_is_not_what_is_asked_for(
    inherited: dict[str, str], serve: Serve
) -> None:
    server = serve("--revision", "buggy", env=inherited)
    assert await endpoints(server.backend) == statuses(500)


async def test_another_revision_is_deployed_from_within_a_tree(
    trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in tree_environment(trees["buggy"], "unknown", "buggy").items():
        monkeypatch.setenv(name, value)
    with deploy(told_case().fixed, users=0) as deployment:
        assert await endpoints(deployment.backend) == statuses(200)


async def test_a_tree_that_is_mended_by_hand_behaves_as_fixed(serve: Serve, tmp_path: Path) -> None:
    tree = tmp_path / "my attempt"
    commit = checkout(told_case().buggy, tree)
    server = serve("--tree", tree)
    assert await endpoints(server.backend) == statuses(500)
    assert {line["commit"] for line in server.log() if "commit" in line} == {commit}

    routes = tree / "netra_ws" / "routes" / "websocket_ssot.py"
    routes.write_text(
        routes.read_text().replace("await get_websocket_manager", "get_websocket_manager")
    )
    server = serve("--tree", tree, "--demo-users", "20")
    assert server.announcement["revision"] == str(tree.resolve())
    assert await endpoints(server.backend) == statuses(200)
    assert tally(await run_sessions(server, batches=1)) == f"20 of 20 sessions: {COMPLETE}"
    health = (await request(f"{server.backend}/ws/health")).json()
    assert health["commit"] == f"{commit}-dirty"
    assert git("diff", "fixed", cwd=tree) == ""


async def test_a_tree_is_named_from_where_one_stands(serve: Serve, trees: dict[str, Path]) -> None:
    server = serve("--tree", "buggy", cwd=trees["buggy"].parent)
    assert await endpoints(server.backend) == statuses(500)
    assert server.announcement["revision"] == str(trees["buggy"].resolve())


async def test_a_tree_without_git_is_served_as_well(serve: Serve, tmp_path: Path) -> None:
    tree = tmp_path / "exported"
    checkout(told_case().fixed, tree)
    (tree / ".git").rename(tmp_path / "set aside")
    server = serve("--tree", tree, env=NO_GIT)
    health = (await request(f"{server.backend}/ws/health")).json()
    assert (health["status"], health["commit"]) == ("healthy", "unknown")


def test_a_tree_without_a_commit_has_no_name(tmp_path: Path) -> None:
    git("init", "--quiet", cwd=tmp_path)
    assert commit_of(tmp_path) == "unknown"
