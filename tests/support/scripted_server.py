"""``netra-ws serve`` with the scripted agent, and what a test knows of such a process."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import jwt
from plain_client import request
from processes import COMMAND, Server, python_path
from scrape import Scrape
from scripted_agent import JOURNAL

SECRET = "a secret of the fault suite, long enough"
SUPPORT = Path(__file__).parent

_numbers = count(1)


def mint(user: str, secret: str = SECRET, **claims: Any) -> str:
    """Return a token of `user`, good for ten minutes but for what is asked for."""
    now = time.time()
    good = {"sub": user, "iat": now, "nbf": now, "exp": now + 600, "jti": token_hex(8)}
    return jwt.encode(good | {"aud": "netra-ws", "iss": "netra-ws-auth"} | claims, secret, "HS256")


def scripted_server(
    folder: Path,
    *arguments: str | Path,
    service: str | None = "backend",
    port: int = 0,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    log: Path | None = None,
    **limits: Any,
) -> Server:
    """Return a running server whose agent is the scripted one, with these limits.

    It takes the tokens of `mint`. `service` is `None` for both, and `command` that which has the
    subcommand `serve`. Enter it, so that it ends.
    """
    number = next(_numbers)
    settings = folder / f"settings-{number}.json"
    settings.write_text(json.dumps(limits))
    services = ("--service", service) if service else ("--demo-users", "1")
    return Server(
        *("--agent", "scripted_agent:scripted", "--settings", settings),
        *(*services, "--port", str(port), *arguments),
        cwd=folder,
        log=log or folder / f"server-{number}.log",
        env={"NETRA_WS_SECRET": SECRET, **python_path(SUPPORT), **(env or {})},
        command=command,
    )


def journal(path: Path) -> dict[str, str]:
    """Return the environment in which the scripted agent writes down what it appended."""
    return {JOURNAL: str(path)}


def said(path: Path, what: str = "said") -> Counter[str]:
    """Return how many events of each user the journal names; `begun` counts runs."""
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line.split()[0] for line in lines if line.endswith(f" {what}"))


async def metric(server: Server, name: str, **labels: str) -> float:
    """Return the sample `netra_ws_` + `name` with exactly these labels; 0 if there is none."""
    text = (await request(f"{server.backend}/metrics")).body.decode()
    return Scrape(text).value(name, **labels)


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken, without its children, as Linux counts it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Return what a process has in memory, as Linux counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has ended")
