"""The process behind ``netra-ws serve``: both services, from their start to a signal."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec
import structlog
from msgspec import Struct

from netra_ws.agent import Agent, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import DemoUser, UserStore, make_demo_users, read_users
from netra_ws.errors import ConfigurationError
from netra_ws.manager import ManagerRegistry
from netra_ws.metrics import Exposition
from netra_ws.serving.descriptors import Watch, fit_limits
from netra_ws.serving.logs import Outlet, configure_logging
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings, read_settings
from netra_ws.threads import Threads
from netra_ws.wire.urls import is_loopback

if TYPE_CHECKING:
    from netra_ws.auth.service import AuthService

logger = structlog.get_logger(__name__)

try:
    import uvloop
except ImportError:  # there is none for Windows
    new_event_loop = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop

GARBAGE_THRESHOLD = 100_000
"""Objects after which Python looks for garbage. With its default of 700, four thousand runs in
flight spent a third of their time on that, and found none (measured)."""

LAST_WORDS_S = 0.1
"""Time that standard error has to take the last log lines."""

WORKERS_END_S = 0.1
"""Time that threads have to end, of the half second that is left to the interpreter."""


class Announcement(Struct, frozen=True):
    """The line on standard output that says what listens; a service not asked for is `None`."""

    backend: str | None
    auth: str | None
    revision: str
    pid: int
    demo_users: list[DemoUser]


@dataclass(frozen=True)
class Options:
    """What ``netra-ws serve`` was asked for; `revision` is a label and changes nothing."""

    host: str
    port: int
    auth_port: int
    revision: str
    agent: str | None
    demo_users: int | None
    users: Path | None
    service: str | None
    settings: Path | None


def load_agent(reference: str) -> Agent:
    """Return the agent at ``module:callable``; raises `ConfigurationError` if there is none."""
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigurationError(f"agent {reference!r}: expected module:callable")
    sys.path.append(str(Path.cwd()))  # last, so that nothing in it can stand in for a package
    try:
        agent = getattr(importlib.import_module(module_name), name)
    except (Exception, SystemExit) as error:  # an import runs anything, and may raise anything
        msg = f"agent {reference!r} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigurationError(" ".join(msg.split())) from error
    if not any(map(inspect.iscoroutinefunction, (agent, getattr(agent, "__call__", None)))):  # noqa: B004
        msg = f"agent {reference!r}: expected an async function, got {type(agent).__name__}"
        raise ConfigurationError(msg)
    return cast("Agent", agent)


def _users(options: Options, environment: str) -> tuple[UserStore, list[DemoUser]]:
    if options.users is not None:
        if options.demo_users:
            raise ConfigurationError("--users and --demo-users exclude each other")
        return read_users(options.users), []
    if environment != "local":
        msg = f"TEST_ENVIRONMENT={environment} has no demo users: expected --users FILE"
        raise ConfigurationError(msg)
    return make_demo_users(3 if options.demo_users is None else options.demo_users)


def _environment(environ: Mapping[str, str], host: str) -> str:
    environment = environ.get("TEST_ENVIRONMENT") or "local"
    if environment not in {"local", "staging"}:
        raise ConfigurationError(f"TEST_ENVIRONMENT={environment}: expected local or staging")
    if environment == "local" and not is_loopback(host):
        msg = f"host {host}: TEST_ENVIRONMENT=local listens on loopback only"
        raise ConfigurationError(f"{msg}; use 127.0.0.1, or staging with a users file")
    return environment


def _secret(environ: Mapping[str, str], environment: str, service: str | None) -> str:
    secret = environ.get("NETRA_WS_SECRET")
    if secret:
        return secret
    if service is not None:
        msg = f"--service {service}: the two services share a secret: set NETRA_WS_SECRET for both"
        raise ConfigurationError(msg)
    if environment != "local":
        msg = f"TEST_ENVIRONMENT={environment} has no default secret: set NETRA_WS_SECRET"
        raise ConfigurationError(msg)
    return token_urlsafe(48)


def _stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: a supervised server does not outlive its parent."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        # Not sys.stdin.read(): its lock, held by a daemon thread, aborts the interpreter's exit.
        while sys.stdin is not None and os.read(sys.stdin.fileno(), 4096):
            pass
        try:
            loop.call_soon_threadsafe(stop.set)
        except RuntimeError:
            pass  # the loop has ended by itself

    threading.Thread(target=watch, daemon=True).start()


_Parts: TypeAlias = "tuple[ManagerRegistry, AuthService | None, Backend | None, list[DemoUser]]"


def _build(options: Options, environ: Mapping[str, str], commit: str) -> _Parts:
    """Return what was asked for; raises `ConfigurationError` if that does not go together."""
    has_auth, has_backend = options.service != "backend", options.service != "auth"
    if not has_auth and (options.users is not None or options.demo_users):
        raise ConfigurationError("users belong to the login service, not to --service backend")
    environment = _environment(environ, options.host)
    settings = read_settings(options.settings) if options.settings else Settings()
    settings = fit_limits(settings, backend=has_backend, auth=has_auth)
    tokens = Tokens(_secret(environ, environment, options.service), settings)
    agent = load_agent(options.agent) if options.agent else source_reader
    registry = ManagerRegistry(settings, agent=agent)
    auth: AuthService | None = None
    backend: Backend | None = None
    demo_users: list[DemoUser] = []
    if has_auth:
        # A backend alone needs no aiohttp, whose import takes a third of its start (measured).
        from netra_ws.auth.service import AuthService

        users, demo_users = _users(options, environment)
        auth = AuthService(users, tokens, options.host, options.auth_port)
    if has_backend:
        echo = environment == "local"
        backend = Backend(
            registry, tokens, host=options.host, port=options.port, commit=commit, echo=echo
        )
    return registry, auth, backend, demo_users


async def _serve(options: Options, environ: Mapping[str, str], stdout: int, outlet: Outlet) -> bool:
    """Serve until a signal; return whether every agent has ended."""
    commit = environ.get("NETRA_WS_COMMIT", "unknown")
    registry, auth, backend, demo_users = _build(options, environ, commit)
    watch = Watch()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(watch.handle)
    counted = [registry.metrics, auth.metrics] if auth else [registry.metrics]
    outlet.on_drop = partial(_count_dropped, counted)
    settings = registry.settings
    threads = Threads(
        "agents",
        registry.metrics,
        in_all=settings.max_threads,
        of_user=settings.max_threads_per_user,
    )
    loop.set_default_executor(threads)
    if backend:
        backend.readiness.threads = [threads, auth.threads] if auth else [threads]
    watching = asyncio.create_task(watch.run())
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(lambda: (hurry if stop.is_set() else stop).set())
    if environ.get("NETRA_WS_SUPERVISED"):
        _stop_with_parent(stop)
    services = [service for service in (auth, backend) if service is not None]
    async with AsyncExitStack() as ending, AsyncExitStack() as listening:
        ending.callback(threads.shutdown, wait=False, cancel_futures=True)
        for service in services:
            await listening.enter_async_context(service)
        if auth and backend:
            auth.origins |= backend.origins
            backend.name_login(auth.url)
        urls = {"backend": backend.url if backend else None, "auth": auth.url if auth else None}
        logger.info("listening", **urls, commit=commit)
        announcement = Announcement(
            **urls, revision=options.revision, pid=os.getpid(), demo_users=demo_users
        )
        line = msgspec.json.encode(announcement) + b"\n"
        # In a thread: a long line waits for somebody who reads it.
        saying = asyncio.create_task(asyncio.to_thread(_write_all, stdout, line))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({saying, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if saying.done():
            saying.result()
        await stopping
        logger.info("stopping", commit=commit, runs=registry.statistics().runs)
        if backend:
            await backend.drain(hurry)
        listening.pop_all()
        await asyncio.gather(*(service.__aexit__() for service in services))
    watching.cancel()
    logger.info("stopped", commit=commit)
    return registry.agents_at_work == 0


def _on_signals(act: Callable[[], None]) -> None:
    """Call `act` in the loop at each SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(signum, act)
        except NotImplementedError:  # Windows: its loops have no signal handlers
            signal.signal(signum, lambda *_: loop.call_soon_threadsafe(act))


def run(options: Options, environ: Mapping[str, str] = os.environ) -> bool:
    """Serve until SIGINT or SIGTERM; a second one cuts the draining short.

    Returns false if an agent, or a thread of one, does not end: then only `os._exit` ends the
    process. Raises `ConfigurationError` if it cannot start.
    """
    printing = sys.stdout, sys.stderr
    outlet = configure_logging()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    # The announcement is the one line on standard output, whatever an agent prints.
    stdout = os.dup(1)
    os.dup2(2, 1)
    runner = asyncio.Runner(loop_factory=new_event_loop)
    ended = True
    try:
        ended = runner.run(_serve(options, environ, stdout, outlet))
    finally:
        ended = ended and _workers_end()
        # Closing waits for every task and thread, even for one that never stops.
        if ended:
            runner.close()
            os.close(stdout)
        sys.stdout, sys.stderr = printing
        outlet.drain(LAST_WORDS_S)
    return ended


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _count_dropped(expositions: Iterable[Exposition], lines: int) -> None:
    for exposition in expositions:
        exposition.log_lines_dropped.inc(lines)


def _workers_end() -> bool:
    """Whether all threads for which the interpreter would wait end within `WORKERS_END_S`."""
    main = threading.main_thread()
    workers = [one for one in threading.enumerate() if one is not main and not one.daemon]
    by = time.monotonic() + WORKERS_END_S
    for worker in workers:
        worker.join(max(0.0, by - time.monotonic()))
    return not any(worker.is_alive() for worker in workers)
