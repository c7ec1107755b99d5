"""Tools that hang in threads: they hold up their own user, and nobody else."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from measuring import Measured, Spread
from plain_client import dial, read_until, request, run_fault, say
from polling import counted
from processes import Server
from scripted_server import metric, mint, scripted_server
from websockets.asyncio.client import ClientConnection

from netra_ws.settings import Settings

OF_USER = Settings().max_threads_per_user
RUNS = Settings().max_runs_per_user
WAITING = "threads_waiting"


async def hang(server: Server, stack: AsyncExitStack, user: str, path: Path) -> ClientConnection:
    """Return a tab of a user all of whose runs hang in a tool, or wait to."""
    tab = await stack.enter_async_context(dial(server.backend, mint(user), ping_interval=None))
    await read_until(tab, "connection_ready")
    for _ in range(RUNS):
        await say(tab, {"type": "user_message", "content": json.dumps([["thread", str(path)]])})
    return tab


async def stop_all(tab: ClientConnection) -> None:
    """Stop the runs of a user, each of which has its tool announced."""
    begun = [await read_until(tab, "tool_executing") for _ in range(RUNS)]
    for frames in begun:
        await say(tab, {"type": "stop_agent", "run_id": frames[-1].message["run_id"]})
    for _ in begun:
        ended = (await read_until(tab, "agent_completed"))[-1].message
        assert ended["payload"]["status"] == "cancelled"


async def neighbour_ms(server: Server, there: Path) -> float:
    """Return how long the run of somebody else takes whose tool is done at once."""
    async with dial(server.backend, mint("ben")) as tab:
        await read_until(tab, "connection_ready")
        began = time.perf_counter()
        await say(tab, {"type": "user_message", "content": json.dumps([["thread", str(there)]])})
        run = await read_until(tab, "agent_completed")
    assert run_fault(run) is None
    assert run[-1].message["payload"]["status"] == "completed"
    return (time.perf_counter() - began) * 1000


async def login_ms(server: Server) -> float:
    """Return how long a login takes, which succeeds."""
    (user,) = server.users
    began = time.perf_counter()
    body = json.dumps({"email": user.email, "password": user.password}).encode()
    assert (await request(f"{server.auth}/auth/login", body)).status == 200
    return (time.perf_counter() - began) * 1000


@pytest.mark.fault(
    "tools that hang in threads",
    promise="a neighbour's run and every login go on, before and after the runs are stopped",
)
@pytest.mark.guards("max_threads_per_user", "max_threads")
async def test_tools_that_hang_hold_up_their_own_user_only(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """More users than there are threads for: those that stopped runs have left count no more."""
    users = 40 if soak else 10
    let_go, there = tmp_path / "let-go", tmp_path / "there"
    there.touch()
    runs: list[float] = []
    logins: list[float] = []
    with scripted_server(tmp_path, service=None) as server:
        async with AsyncExitStack() as stack:
            for number in range(users):
                tab = await hang(server, stack, f"hangs-{number}", let_go)
                await counted(server, RUNS - OF_USER, WAITING)
                runs.append(await neighbour_ms(server, there))
                logins.append(await login_ms(server))
                ready = await request(f"{server.backend}/ws/ready")
                await stop_all(tab)
                await counted(server, 0, WAITING)
                runs.append(await neighbour_ms(server, there))
                assert ready.status == 200, ready.json()
        waited = await metric(server, "thread_wait_seconds_count")
        said = [line for line in server.log() if line.get("limit") == "max_threads_per_user"]
        let_go.touch()
        await asyncio.to_thread(server.stop)
    assert waited == users * (OF_USER + 2) + 1  # the announcement took one, too
    assert len(said) == users
    measured(
        "{users} users one after the other, {hung} runs of each hung and were stopped: a "
        "neighbour's run took {runs:.0f ms}, a login {logins:.0f ms}",
        users=users,
        hung=RUNS,
        runs=Spread.of(runs),
        logins=Spread.of(logins),
    )
