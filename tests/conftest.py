"""Which code is under test, where it serves, and what each test saw of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from observer import Observer, Record
from plain_client import Services

import netra_ws
from netra_ws.errors import ConfigurationError
from netra_ws.incident import tree as trees
from netra_ws.incident.case import REVISIONS
from netra_ws.incident.checkout import scratch_checkout
from netra_ws.incident.deployment import Deployment, deploy, deploy_staging
from netra_ws.incident.logins import read_logins
from netra_ws.urls import is_loopback

ROOT = Path(__file__).parents[1]
PACKAGE = Path(netra_ws.__file__).resolve().parent
USERS = 20
REACH_TIMEOUT_S = 8.0
STAGING_URLS = ("STAGING_BASE_URL", "STAGING_AUTH_URL")
SKIPPED = "needs a staging deployment: add --staging"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netra_ws")
    group.addoption(
        "--revision",
        choices=REVISIONS,
        help="the revision of the incident under test, imported and served (default: fixed)",
    )
    group.addoption(
        "--tree", type=Path, metavar="DIR", help="test the netra_ws in this folder instead"
    )
    group.addoption(
        "--staging",
        action="store_true",
        help="run the end-to-end tests: on STAGING_BASE_URL and STAGING_AUTH_URL, or, if they are "
        "not set, on a local staging deployment of the code under test",
    )


# The code under test


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Go on here if this process has the code that is asked for, or else in one that has."""
    revision, tree = config.getoption("--revision"), config.getoption("--tree")
    if revision and tree:
        raise pytest.UsageError("--revision and --tree exclude each other")
    asked = str(tree.resolve()) if tree else revision
    within = os.environ.get(trees.TREE)
    try:
        if asked in {None, os.environ.get(trees.REVISION) if within else "fixed"}:
            _check_package(within)
            return None
        if tree:
            return _run_elsewhere(config, trees.resolve_tree(None, tree))
        with scratch_checkout(revision) as folder:
            environment = trees.tree_environment(folder, trees.commit_of(folder), revision)
            return _run_elsewhere(config, environment)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


def _check_package(within: str | None) -> None:
    if within:
        trees.check_origin()
    elif PACKAGE != ROOT / "netra_ws":
        msg = f"netra_ws came from {netra_ws.__file__}, expected {ROOT}; check PYTHONPATH"
        raise ConfigurationError(f"{msg}, or give --tree")


def _run_elsewhere(config: pytest.Config, environment: dict[str, str]) -> int:
    """Run the same command in a child whose `netra_ws` is another; returns its exit code."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "pytest", *config.invocation_params.args],
            cwd=config.invocation_params.dir,
            env=environment,
        )
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # it reaches the child as well, which ends by itself


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """Both services in one process, with the code under test."""
    with deploy(users=USERS) as deployment:
        yield deployment


def _deployed(revision: str) -> Iterator[Deployment]:
    with deploy(revision, users=USERS) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def before() -> Iterator[Deployment]:
    """The healthy past, whatever is under test."""
    yield from _deployed("before")


@pytest.fixture(scope="session")
def buggy() -> Iterator[Deployment]:
    """The incident, whatever is under test."""
    yield from _deployed("buggy")


@pytest.fixture(scope="session")
def fixed() -> Iterator[Deployment]:
    """What the package ships, whatever is under test."""
    yield from _deployed("fixed")


# Staging


def _staging_urls() -> list[str]:
    """Return the two addresses, or nothing if neither is set."""
    urls = [os.environ.get(name, "").rstrip("/") for name in STAGING_URLS]
    if any(urls) and not all(urls):
        missing = STAGING_URLS[urls.index("")]
        raise pytest.UsageError(f"{missing} is not set: set both {' and '.join(STAGING_URLS)}")
    for name, url in zip(STAGING_URLS, urls, strict=True):
        if url and not re.fullmatch(r"https?://[^/?#\s]+", url):
            raise pytest.UsageError(f"{name}={url}: expected http(s)://host[:port]")
    return [url for url in urls if url]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let no test leave this machine, and find a staging target before the first test does."""
    if not session.config.getoption("--staging"):
        _guard_network(set())
        return
    urls = _staging_urls()
    _guard_network({urlsplit(url).hostname for url in urls})
    if urls:
        try:
            read_logins()
        except ConfigurationError as error:
            raise pytest.UsageError(f"staging at {urls[0]}: {error}") from error
        for url in urls:
            _reach(url)


def _reach(url: str) -> None:
    parts = urlsplit(url)
    address = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    result: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=REACH_TIMEOUT_S / 2).close()
            result.append("")
        except OSError as error:
            result.append(str(error))

    # A name server that says nothing cannot be interrupted, only left behind.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(REACH_TIMEOUT_S / 2)
    why = result[0] if result else "no answer"
    if why:
        msg = f"{url} cannot be reached ({why}): start it, or unset {' and '.join(STAGING_URLS)}"
        raise pytest.UsageError(f"{msg} to test a local staging deployment")


def _guard_network(hosts: set[str | None]) -> None:
    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
            name = host.decode() if isinstance(host, bytes) else host
            if name and name not in hosts and not is_loopback(name):
                raise RuntimeError(f"a test tried to resolve {name}")

    sys.addaudithook(refuse)


def pytest_report_header(config: pytest.Config) -> str | None:
    if not config.getoption("--staging"):
        return None
    urls = _staging_urls()
    if urls:
        return f"staging: {', '.join(urls)}"
    label = os.environ.get(trees.REVISION, "fixed")
    return f"staging: {' and '.join(STAGING_URLS)} are not set; a local deployment of {label}"


@pytest.fixture(scope="session")
def staging() -> Iterator[Services]:
    """The staging deployment: where the environment says, or one of the code under test."""
    urls = _staging_urls()
    if urls:
        yield SimpleNamespace(backend=urls[0], auth=urls[1], users=read_logins())
        return
    with deploy_staging() as deployment:
        yield deployment


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers():
            if mark.name in {"fail_to_pass", "pass_to_pass"}:
                item.user_properties += [("mark", mark.name), *mark.kwargs.items()]
        if "staging" in getattr(item, "fixturenames", ()) and not config.getoption("--staging"):
            item.add_marker(pytest.mark.skip(reason=SKIPPED))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", ())
    waiting = sum(SKIPPED in str(report.longrepr) for report in skipped)
    if waiting:
        terminalreporter.line(f"{waiting} end-to-end tests skipped; to run them, add --staging")


# What a test saw


@pytest.fixture
def observer(deployment: Deployment, record_property: Record) -> Iterator[Observer]:
    """A client of the deployment; what it sees becomes properties of the test."""
    observer = Observer(deployment, record_property)
    yield observer
    observer.close()


@pytest.fixture
def staging_observer(staging: Services, record_property: Record) -> Iterator[Observer]:
    """The same for staging."""
    observer = Observer(staging, record_property)
    yield observer
    observer.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record where the package under test raised, if a test failed on that."""
    report = yield
    if call.when == "call" and call.excinfo is not None and report.failed:
        last = call.excinfo.traceback[-1]
        if last.path.is_relative_to(PACKAGE):
            place = f"{last.path.relative_to(PACKAGE.parent).as_posix()}:{last.lineno + 1}"
            error = f"{call.excinfo.typename} at {place} in {last.name}: {str(last.statement).strip()}"
            item.user_properties.append(("error", error))
    return report
