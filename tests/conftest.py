"""Which code is under test, where it serves, and what each test saw of it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import leash
import pytest

from netra_incident.lacking import explained

try:
    from crowded import crowded  # noqa: F401
    from network import BOTH, check_staging, guard, staging_urls
    from observer import Observer, Record
    from plain_client import Services
    from processes import git

    import netra_ws
    from netra_incident.case import REVISIONS, told_case
    from netra_incident.history import tree as trees
    from netra_incident.history.checkout import checkout, scratch_checkout
    from netra_incident.history.deployment import Deployment, deploy, deploy_staging
    from netra_incident.probe.logins import read_logins
    from netra_ws.errors import ConfigurationError
    from netra_ws.serving import origin
    from netra_ws.serving.process import new_event_loop
except ImportError as error:
    if (why := explained(error)) is None:
        raise
    sys.stderr.write(f"ERROR: {why}\n")
    sys.exit(2)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

ON_BOTH_LOOPS = {
    "test_connection",
    "test_revocation",
    "test_room",
    "test_slow_readers",
    "test_transport",
}
"""Modules whose tests run on asyncio's loop and on that of the product, which is uvloop's where
there is one: the two read, write and end a socket in turns of their own."""

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(netra_ws.__file__).parent
USERS = 20
SKIPPED = "needs a staging deployment: add --staging"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netra_ws")
    group.addoption(
        "--revision",
        choices=REVISIONS,
        help="the revision of the incident under test, imported and served (default: fixed)",
    )
    group.addoption(
        "--tree", type=_folder, metavar="DIR", help="test the netra_ws in this folder instead"
    )
    group.addoption(
        "--staging",
        action="store_true",
        help="run the end-to-end tests: on STAGING_BASE_URL and STAGING_AUTH_URL, or, if they are "
        "not set, on a local staging deployment of the code under test",
    )


def _folder(value: str) -> Path:
    if not value:
        raise argparse.ArgumentTypeError("expected a folder, got an empty name")
    try:
        Path(value).resolve().stat()
    except FileNotFoundError:
        pass  # what is missing in it is said later
    except (OSError, RuntimeError) as error:  # as that of links in a circle
        raise argparse.ArgumentTypeError(f"{value!r}: {error}") from error
    return Path(value)


def pytest_configure(config: pytest.Config) -> None:
    """Let no property fail because this machine is busy."""
    if config.pluginmanager.hasplugin("hypothesispytest"):  # else no property is run
        from hypothesis import HealthCheck, settings

        settings.register_profile(
            "netra_ws", deadline=None, suppress_health_check=[HealthCheck.too_slow]
        )
        settings.load_profile("netra_ws")


# The code under test


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Go on here if this process has the code that is asked for, or else in one that has."""
    revision, tree = config.getoption("--revision"), config.getoption("--tree")
    if revision and tree:
        raise pytest.UsageError("--revision and --tree exclude each other")
    asked = str(tree.resolve()) if tree else revision
    within = os.environ.get(origin.TREE)
    try:
        if asked in {None, os.environ.get(origin.REVISION) if within else "fixed"}:
            _check_package(within)
            return None
        if tree:
            trees.check_whole(trees.check_tree(tree))
            return _run_elsewhere(config, trees.code_environment(None, tree))
        with scratch_checkout(told_case().revision(revision)) as folder:
            environment = trees.tree_environment(folder, trees.commit_of(folder), revision)
            return _run_elsewhere(config, environment)
    except trees.TreeLacks as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return 2
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


def _check_package(within: str | None) -> None:
    if within:
        origin.check_origin()
    elif PACKAGE.resolve() != (ROOT / "netra_ws").resolve():
        msg = f"netra_ws came from {netra_ws.__file__}, expected {ROOT}; check PYTHONPATH"
        raise ConfigurationError(f"{msg}, or give --tree")


def _run_elsewhere(config: pytest.Config, environment: dict[str, str]) -> int:
    """Run the same command in a child whose `netra_ws` is another; returns its exit code."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        child = leash.start(
            [sys.executable, "-P", "-m", "pytest", *config.invocation_params.args],
            cwd=config.invocation_params.dir,
            env=environment,
            session=False,  # it shares the terminal
        )
        # Whoever cancels a job sends SIGTERM: the child has servers and folders to clean up.
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
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
    with deploy(told_case().revision(revision), users=USERS) as deployment:
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


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let no test leave this machine, and find a staging target before the first test does."""
    urls = staging_urls() if session.config.getoption("--staging") else []
    guard(urls)
    if urls:
        check_staging(urls)


def pytest_report_header(config: pytest.Config) -> str | None:
    if not config.getoption("--staging"):
        return None
    urls = staging_urls()
    if urls:
        return f"staging: {', '.join(urls)}"
    label = os.environ.get(origin.REVISION, "fixed")
    return f"staging: {BOTH} are not set; a local deployment of {label}"


@pytest.fixture(scope="session")
def staging() -> Iterator[Services]:
    """The staging deployment: where the environment says, or one of the code under test."""
    urls = staging_urls()
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


# Loops


def pytest_asyncio_loop_factories(item: pytest.Function) -> dict[str, LoopFactory]:
    """Run a test on asyncio's loop, or on the product's, too."""
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.module.__name__ in ON_BOTH_LOOPS:
        factories["product"] = new_event_loop
    return factories


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
        path = Path(last.path)  # a str where the frame is of an extension module, as uvloop's are
        if path.is_relative_to(PACKAGE):
            place = f"{path.relative_to(PACKAGE.parent).as_posix()}:{last.lineno + 1}"
            line = str(last.statement).strip()
            error = f"{call.excinfo.typename} at {place} in {last.name}: {line}"
            item.user_properties.append(("error", error))
    return report


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout at `fixed`; read only."""
    folder = tmp_path_factory.mktemp("history")
    checkout(told_case().fixed, folder)
    return folder


@pytest.fixture(scope="session", name="trees")
def worktrees(history: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of each revision; read only."""
    folder = tmp_path_factory.mktemp("trees")
    for revision in ("before", "buggy", "fixed"):
        git("worktree", "add", "--detach", folder / revision, revision, cwd=history)
    return {revision: folder / revision for revision in ("before", "buggy", "fixed")}
