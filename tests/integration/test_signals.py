"""Signals: each that would end the process has it drain, and SIGHUP reads the users file again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import leash
import plain_client
import pytest
from argon2 import PasswordHasher
from limits import HANG_S
from plain_client import connected, end_of, log_in, post_login, read_until, say
from polling import until
from processes import COMMAND, Serve, Server, clean_environment, netra_ws

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")

NAMES = [
    "SIGQUIT",
    "SIGHUP",
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGVTALRM",
    "SIGPROF",
    "SIGXCPU",
    "SIGPOLL",
    "SIGRTMIN",
]

WAITING = """
from pathlib import Path
import asyncio

async def agent(run, message):
    await run.thinking("Here I am.")
    while not Path(message).exists():
        await asyncio.sleep(0.005)
    return "That is all."
"""


def lines(server: Server, event: str) -> list[dict[str, object]]:
    return [line for line in server.log() if line["event"] == event]


@pytest.fixture
def waiting(serve: Serve, tmp_path: Path) -> Callable[..., Server]:
    """A function that starts a server whose agent waits for a file."""
    (tmp_path / "waits.py").write_text(WAITING)
    return lambda *more: serve("--agent", "waits:agent", "--demo-users", "1", *more)


@pytest.mark.parametrize("name", NAMES)
async def test_at_a_signal_it_drains_and_says_so_once(
    name: str, waiting: Callable[..., Server], tmp_path: Path
) -> None:
    """The same signal once more, as SIGXCPU comes each second, cuts nothing short."""
    signum = getattr(signal, name, None)
    if signum is None:
        pytest.skip(f"no {name} here")
    server = waiting()
    login = await log_in(server.auth, server.users[0])
    async with connected(server, login.token) as tab:
        await say(tab, {"type": "user_message", "content": str(tmp_path / "go on")})
        run = await read_until(tab, "agent_thinking")
        server.process.send_signal(signum)
        await until(lambda: lines(server, "stopping"))
        if name != "SIGQUIT":
            server.process.send_signal(signum)
        (tmp_path / "go on").touch()
        run += await read_until(tab, "agent_completed")
        assert run[-1].message["payload"]["status"] == "completed"
        assert (await end_of(tab))[0] == 1012
    assert await asyncio.to_thread(server.process.wait, HANG_S) == 0
    assert [line["signal"] for line in lines(server, "stopping")] == [signal.Signals(signum).name]


async def test_asked_twice_with_sigquit_it_hurries(waiting: Callable[..., Server]) -> None:
    server = waiting()
    login = await log_in(server.auth, server.users[0])
    async with connected(server, login.token) as tab:
        await say(tab, {"type": "user_message", "content": "/nowhere"})
        await read_until(tab, "agent_thinking")
        server.process.send_signal(signal.SIGQUIT)
        await until(lambda: lines(server, "stopping"))
        server.process.send_signal(signal.SIGQUIT)
        (*_, end) = await read_until(tab, "agent_completed")
    assert end.message["payload"]["status"] == "cancelled"
    assert await asyncio.to_thread(server.process.wait, HANG_S) == 0


def test_what_it_was_told_to_ignore_it_ignores(serve: Serve) -> None:
    """As ``nohup`` does."""
    without = ("sh", "-c", 'trap "" HUP USR1; exec "$@"', "sh", *COMMAND)
    server = serve(command=without)
    for signum in (signal.SIGHUP, signal.SIGUSR1):
        server.process.send_signal(signum)
    assert server.stop() == 0
    assert [line["signal"] for line in lines(server, "stopping")] == ["SIGTERM"]


def test_a_handler_of_an_agent_stays(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "handles.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('handled', file=sys.stderr, flush=True))\n"
        "async def agent(run, message): return message\n"
    )
    server = serve("--agent", "handles:agent")
    server.process.send_signal(signal.SIGUSR1)
    while "handled\n" not in server.stderr():
        assert server.process.poll() is None
    assert server.stop() == 0


# The users file


PASSWORD = "correct horse"


def users_of(*names: str) -> str:
    argon2 = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    return json.dumps([{"email": f"{n}@x.org", "id": n, "argon2": argon2} for n in names])


async def knows(server: Server, name: str) -> bool:
    login = {"email": f"{name}@x.org", "password": PASSWORD}
    return (await post_login(server.auth, login)).status == 200


async def hang_up(server: Server, event: str, count: int = 1) -> dict[str, object]:
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: len(lines(server, event)) == count)
    return lines(server, event)[-1]


async def test_at_sighup_the_users_file_is_read_again(serve: Serve, tmp_path: Path) -> None:
    """A token of who is no longer in it stays good: it says so for itself."""
    path = tmp_path / "users.json"
    path.write_text(users_of("ann", "ben"))
    server = serve("--users", path)
    login = SimpleNamespace(email="ben@x.org", password=PASSWORD)
    token = (await log_in(server.auth, login)).token
    path.write_text(users_of("ann", "cleo", "dora"))
    assert (await hang_up(server, "users file read again"))["users"] == 3
    assert [await knows(server, name) for name in ("ann", "ben", "cleo")] == [True, False, True]
    async with connected(server, token):
        pass
    assert server.stop() == 0
    assert [line["signal"] for line in lines(server, "stopping")] == ["SIGTERM"]


BROKEN = {"not JSON": "[", "nobody": "[]", "no hash": '[{"email": "a", "id": "a", "argon2": "x"}]'}


async def test_a_broken_users_file_leaves_the_users_as_they_were(
    serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    path.write_text(users_of("ann"))
    server = serve("--users", path)
    event = "users file not read again, the users stay as they were"
    for count, content in enumerate(BROKEN.values(), 1):
        path.write_text(content)
        assert "users.json: " in str((await hang_up(server, event, count))["error"])
    path.unlink()
    assert "users.json: " in str((await hang_up(server, event, 4))["error"])
    assert await knows(server, "ann")
    assert "Traceback" not in server.stderr()
    path.write_text(users_of("ben"))
    await hang_up(server, "users file read again")
    assert await knows(server, "ben")
    assert server.stop() == 0


def test_a_hangup_during_the_start_ends_nothing_where_there_is_a_users_file(
    serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    path.write_text(users_of("ann"))
    (tmp_path / "hangs_up.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\n"
        "async def agent(run, message): return message\n"
    )
    server = serve("--users", path, "--agent", "hangs_up:agent")
    while not lines(server, "users file read again"):
        assert server.process.poll() is None
    assert server.stop() == 0


# What an agent leaves behind

LEFT = {
    "thread": "import threading\nthreading.Thread(target=threading.Event().wait).start()\n",
    "pool": "from concurrent.futures import ThreadPoolExecutor\nimport threading\n"
    "ThreadPoolExecutor(1).submit(threading.Event().wait)\n",
}
AGENT = "async def agent(run, message): return message\n"


@pytest.mark.parametrize("revision", [[], ["--revision", "fixed"]], ids=["here", "in a tree"])
@pytest.mark.parametrize("left", LEFT)
def test_a_module_that_leaves_a_thread_and_cannot_be_imported_ends_the_process(
    left: str, revision: list[str], tmp_path: Path, scratch: Path
) -> None:
    (tmp_path / "leaves.py").write_text(f"{LEFT[left]}raise RuntimeError('no agent')\n")
    ports = ("--port", "0", "--auth-port", "0")
    done = netra_ws(
        *("serve", *ports, "--agent", "leaves:agent", *revision),
        cwd=tmp_path,
        env={"TMPDIR": str(scratch)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "RuntimeError: no agent" in done.stderr
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("left", LEFT)
def test_a_thread_that_an_agent_leaves_does_not_hold_up_the_end(
    left: str, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "leaves.py").write_text(LEFT[left] + AGENT)
    server = serve("--agent", "leaves:agent")
    assert server.stop() == 0
    assert lines(server, "stopped")


STUBBORN = """
import asyncio
tasks = set()

async def stay():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def agent(run, message):
    tasks.add(asyncio.create_task(stay()))
    return message
"""


async def test_a_task_that_an_agent_leaves_does_not_hold_up_the_end(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "leaves.py").write_text(STUBBORN)
    server = serve("--agent", "leaves:agent", "--demo-users", "1")
    login = await log_in(server.auth, server.users[0])
    assert plain_client.outcome(await plain_client.converse(server.backend, login, "hello"))
    assert await asyncio.to_thread(server.stop) == 0
    assert lines(server, "stopped")


def test_an_agent_that_holds_up_the_interpreters_end_can_be_told_to_go(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "leaves.py").write_text(
        "import atexit, sys, threading\n"
        "def wait():\n    print('waits', file=sys.stderr, flush=True)\n"
        "    threading.Event().wait()\n"
        f"atexit.register(wait)\n{AGENT}"
    )
    server = serve("--agent", "leaves:agent")
    server.process.send_signal(signal.SIGTERM)
    while "waits\n" not in server.stderr():
        assert server.process.poll() is None
    assert server.stop() == 0


def test_a_start_that_fails_beside_a_thread_ends_too(tmp_path: Path) -> None:
    """Here it is the port that is taken."""
    (tmp_path / "leaves.py").write_text(LEFT["thread"] + AGENT)
    command = [*COMMAND, "serve", "--port", "0", "--auth-port", "0", "--agent", "leaves:agent"]
    with leash.started(
        command, cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        port = json.loads(first.stdout.readline())["backend"].rpartition(":")[2]
        arguments = ("--port", port, "--auth-port", "0", "--agent", "leaves:agent")
        done = netra_ws("serve", *arguments, cwd=tmp_path)
        first.terminate()
        assert first.wait(HANG_S) == 0
    assert (done.returncode, done.stdout) == (2, "")


async def test_while_the_users_file_is_read_again_others_are_served(
    serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    path.write_text(users_of("ann"))
    server = serve("--users", path)
    path.unlink()
    os.mkfifo(path)
    server.process.send_signal(signal.SIGHUP)
    writer = await opened(path)
    try:
        assert (await plain_client.request(f"{server.backend}/ws/health")).status == 200
        os.write(writer, users_of("ben").encode())
    finally:
        os.close(writer)
    await until(lambda: lines(server, "users file read again"))
    assert await knows(server, "ben")
    assert await asyncio.to_thread(server.stop) == 0


async def opened(fifo: Path) -> int:
    """Return the end of a pipe to write into, as soon as somebody reads it."""
    async with asyncio.timeout(HANG_S):
        while True:
            try:
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                await asyncio.sleep(0.01)


AT_EXIT = """
import atexit, pathlib
atexit.register(pathlib.Path("left").touch)

async def agent(run, message):
    return message
"""


async def test_what_an_agent_does_at_exit_it_does_after_a_login_too(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "leaves.py").write_text(AT_EXIT)
    server = serve("--agent", "leaves:agent", "--demo-users", "1")
    await log_in(server.auth, server.users[0])
    assert await asyncio.to_thread(server.stop) == 0
    assert (tmp_path / "left").exists()
