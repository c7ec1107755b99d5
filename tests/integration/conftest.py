"""Servers and checkouts for one test or for all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import command
import pytest
from clock import Clock
from fixtures import (  # noqa: F401
    backend,
    demo,
    fetch,
    log_lines,
    logged,
    open_tab,
    own_tokens,
    recorder,
    tokens,
)
from forking import Forking
from processes import RunNetraWs, Serve, Server, clean_environment, netra_ws


@pytest.fixture
async def clock() -> Clock:
    """The clock of the loop of this test."""
    return Clock(asyncio.get_running_loop())


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The folder for temporary files of the servers of a test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def serve(tmp_path: Path, scratch: Path) -> Iterator[Serve]:
    """Start ``netra-ws serve`` with these arguments; what still runs at the end is ended."""
    with ExitStack() as servers:
        started = 0

        def start(*arguments: str | Path, **options: Any) -> Server:
            nonlocal started
            started += 1
            options.setdefault("cwd", tmp_path)
            options["env"] = {"TMPDIR": str(scratch), **options.get("env", {})}
            log = tmp_path / f"server-{started}.log"
            return servers.enter_context(Server(*arguments, log=log, **options))

        yield start


@pytest.fixture(scope="session")
def run_netra_ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunNetraWs]:
    """`processes.netra_ws`, without its start where a process can fork: for a command's answers."""
    if not hasattr(os, "fork"):
        yield netra_ws
        return
    folder, env = tmp_path_factory.mktemp("forking"), clean_environment()
    with Forking(
        "netra_incident.cli.serve", "netra_ws.serving.process", folder=folder, env=env
    ) as forking:
        yield partial(forking.run, "netra_incident")


@pytest.fixture
def in_process() -> RunNetraWs:
    """`processes.netra_ws` in this process: for commands that change nothing of it."""
    return command.in_process
