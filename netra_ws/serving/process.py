"""The process behind ``netra-ws serve``: both services, from their start to a signal."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import os
import sys
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
import structlog
from msgspec import Struct

from netra_ws.agent import Agent, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import DemoUser, UserStore, make_demo_users, read_users
from netra_ws.errors import ConfigurationError
from netra_ws.manager import ManagerRegistry
from netra_ws.serving.descriptors import Watch, fit_limits
from netra_ws.serving.leaving import LEFT_END_S, workers_end
from netra_ws.serving.live import address_to_open
from netra_ws.serving.logs import configure_logging, describe_exception
from netra_ws.serving.output import Output
from netra_ws.serving.server import Backend
from netra_ws.serving.signals import HANGUP, Stop, catch_in_loop
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


class Announcement(Struct, frozen=True):
    """The line on standard output that says what listens; a service not asked for is `None`.

    `open` is the address of the live page, the first demo users' logins in it.
    """

    backend: str | None
    auth: str | None
    revision: str
    pid: int
    demo_users: list[DemoUser]
    open: str | None = None


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
    try:
        sys.path.append(str(Path.cwd()))  # last, so that nothing in it can stand in for a package
        agent = getattr(importlib.import_module(module_name), name)
        called = agent, getattr(type(agent), "__call__", None)  # noqa: B004 - as a call finds it
        is_agent = any(map(inspect.iscoroutinefunction, called))
    except BaseException as error:  # an import runs anything, and may raise anything
        said = describe_exception(error)
        msg = f"agent {reference!r} cannot be imported: {said['type']}: {said['message']}"
        raise ConfigurationError(" ".join(msg.split())) from error
    if not is_agent:
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


def _stop_with_parent(stop: Stop) -> None:
    """Stop when standard input ends: a supervised server does not outlive its parent."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        # Not sys.stdin.read(): its lock, held by a daemon thread, aborts the interpreter's exit.
        while sys.stdin is not None and os.read(sys.stdin.fileno(), 4096):
            pass
        try:
            loop.call_soon_threadsafe(stop.tell)
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


async def _serve(
    options: Options, environ: Mapping[str, str], stdout: FileIO, output: Output
) -> bool:
    """Serve until a signal; return whether every agent, and every task of one, has ended."""
    commit = environ.get("NETRA_WS_COMMIT", "unknown")
    if not commit.isprintable():
        raise ConfigurationError(f"NETRA_WS_COMMIT: expected printable text, got {commit!r}")
    loop = asyncio.get_running_loop()
    auth: AuthService | None
    if (path := options.users) is not None and HANGUP is not None:
        one_at_a_time = asyncio.Lock()
        loop.add_signal_handler(
            HANGUP, lambda: loop.create_task(_read_again(auth, path, one_at_a_time))
        )
    registry, auth, backend, demo_users = _build(options, environ, commit)
    output.dropped = [registry.metrics.log_lines_dropped]
    if auth:
        output.dropped.append(auth.metrics.log_lines_dropped)
    settings, metrics = registry.settings, registry.metrics
    in_all, of_user = settings.max_threads, settings.max_threads_per_user
    threads = Threads("agents", metrics, in_all=in_all, of_user=of_user)
    loop.set_default_executor(threads)
    if backend:
        backend.readiness.threads = [threads, auth.threads] if auth else [threads]
    watch = Watch()
    loop.set_exception_handler(watch.handle)
    watch.look()
    stop = Stop()
    catch_in_loop(stop.tell)
    if environ.get("NETRA_WS_SUPERVISED"):
        _stop_with_parent(stop)
    services = [service for service in (auth, backend) if service is not None]
    async with AsyncExitStack() as ending, AsyncExitStack() as listening:
        ending.callback(threads.shutdown, wait=False, cancel_futures=True)
        for service in services:
            await listening.enter_async_context(service)
        if auth and backend:
            auth.origins.include(backend.origins)
            backend.name_login(auth.url)
        urls = {"backend": backend.url if backend else None, "auth": auth.url if auth else None}
        logger.info("listening", **urls, commit=commit)
        announcement = Announcement(
            **urls,
            revision=options.revision,
            pid=os.getpid(),
            demo_users=demo_users,
            open=address_to_open(backend.url, settings.public_url, demo_users) if backend else None,
        )
        # In a thread: a long line waits for somebody who reads it.
        saying = loop.run_in_executor(None, _announce, announcement, stdout)
        saying.add_done_callback(lambda said: None if _succeeded(said) else stop.tell())
        await _outlive(stop.told)
        if saying.done():
            saying.result()
        runs = registry.statistics().runs
        logger.info("stopping", commit=commit, signal=stop.by, runs=runs)
        if backend:
            await backend.drain(stop.hurry)
        listening.pop_all()
        await asyncio.gather(*(service.__aexit__() for service in services))
    logger.info("stopped", commit=commit)
    return registry.agents_at_work == 0 and await _tasks_end()


async def _read_again(auth: AuthService | None, path: Path, one_at_a_time: asyncio.Lock) -> None:
    """Read the users file again; one that is broken leaves the users as they were.

    In a thread: to check a hundred thousand users takes more than a second.
    """
    assert auth is not None  # without the login service no users file is taken
    try:
        async with one_at_a_time:
            loop = asyncio.get_running_loop()
            auth.users = await loop.run_in_executor(auth.threads, read_users, path)
    except ConfigurationError as error:
        logger.error("users file not read again, the users stay as they were", error=str(error))
    else:
        logger.info("users file read again", users=len(auth.users))


async def _outlive(event: asyncio.Event) -> None:
    """Wait for an event, although an agent may cancel every task that there is."""
    while not event.is_set():
        try:
            await event.wait()
        except asyncio.CancelledError as error:
            _tried_to_end(error)


def _succeeded(done: asyncio.Future[None]) -> bool:
    return done.cancelled() or done.exception() is None


def _tried_to_end(error: BaseException) -> None:
    logger.error("an agent tried to end the process", exc_info=error)


async def _tasks_end() -> bool:
    """Cancel the tasks that agents have started; whether they end within `LEFT_END_S`."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    return not tasks or not (await asyncio.wait(tasks, timeout=LEFT_END_S))[1]


def _announce(announcement: Announcement, stdout: FileIO) -> None:
    line = msgspec.json.encode(announcement) + b"\n"
    if announcement.open and stdout.isatty():
        line += f"\nOpen {announcement.open}\n\n".encode()
    try:
        while line:
            line = line[stdout.write(line) :]
    except OSError as error:
        raise ConfigurationError(f"standard output: {error.strerror}") from error


def run(options: Options, environ: Mapping[str, str] = os.environ) -> bool:
    """Serve until a signal; a second one cuts the draining short.

    Returns false if an agent, or a task of one, does not end: then only `os._exit` ends the
    process. Raises `ConfigurationError` if it cannot start.
    """
    output = Output()
    configure_logging(output.count)
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    # The announcement is the one line on standard output, whatever an agent prints.
    with FileIO(os.dup(1), "w") as stdout, output:
        runner = asyncio.Runner(loop_factory=new_event_loop)
        ended = True
        try:
            ended = _run_on(runner.get_loop(), _serve(options, environ, stdout, output))
        finally:
            ended = ended and workers_end()
            # Closing waits for every task and thread, even for one that never stops.
            if ended:
                with suppress(KeyboardInterrupt, SystemExit):
                    runner.close()
    return ended


def _run_on(loop: asyncio.AbstractEventLoop, serving: Coroutine[Any, Any, bool]) -> bool:
    """Run the loop until the server has stopped, whatever a task or a callback of an agent raises.

    asyncio lets these out of the loop, `loop.stop()` as a `RuntimeError`: then they would end the
    process for everybody. Returns false if an agent cancelled the end of the server itself.
    """
    task = loop.create_task(serving)
    while True:
        try:
            return loop.run_until_complete(task)
        except (KeyboardInterrupt, SystemExit, RuntimeError) as error:
            if task.done():
                raise
            _tried_to_end(error)
        except asyncio.CancelledError as error:
            _tried_to_end(error)
            return False
