"""The options of this test suite: which code is under test, and where staging is."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import leash
import pytest
from forking import Forking
from plain_client import log_in, refusal, request
from processes import RunNetraWs, Serve, clean_environment, python_path

from netra_incident.case import told_case
from netra_incident.history.deployment import StagingDeployment, deploy_staging

ROOT = Path(__file__).parents[2]
SITES = "tests/unit/websocket_core/test_issue_1231_async_await_bug_reproduction.py"
E2E = "tests/e2e/staging/test_issue_1231_golden_path_websocket_failures.py"
# Notebooks and properties are not what is tested here, and their plugins start slowly.
QUICK = (
    *("-q", "--override-ini=addopts="),
    *("-pno:cacheprovider", "-pno:nbval", "-pno:hypothesispytest"),
)


class Ran(NamedTuple):
    """What a run of pytest said."""

    code: int
    said: str


def environment() -> dict[str, str]:
    return {
        name: value
        for name, value in clean_environment().items()
        if not name.startswith(("STAGING_", "PYTEST_"))
    }


def run_pytest(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
    command = [sys.executable, "-m", "pytest", *QUICK, *arguments]
    done = leash.run(command, cwd=ROOT, env=environment() | dict(env or {}))
    return Ran(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def ask_pytest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Ran]]:
    """`run_pytest`, without its start where a process can fork: for what an option answers."""
    if not hasattr(os, "fork"):
        yield run_pytest
        return
    modules = ("pytest", "netra_ws.client")  # netra_incident has a plugin, for pytest to import
    folder = tmp_path_factory.mktemp("forking")
    with Forking(*modules, "netra_ws.serving.process", folder=folder, env=environment()) as forking:

        def ask(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
            done = forking.run("pytest", *QUICK, *arguments, cwd=ROOT, env=env)
            return Ran(done.returncode, done.stdout + done.stderr)

        yield ask


# The code under test

FOUR_SITES = (SITES, "-k", "test_a_site_of_the_route_file_returns")


PLAN = {"PYTHONPATH": f":{ROOT}", "TEST_ENVIRONMENT": "local"}
"""The plan's own export: it leaves an empty entry in front, which means the working directory."""


def test_the_plans_own_python_path_does_not_bring_another_package() -> None:
    assert run_pytest(*FOUR_SITES, env=PLAN).code == 0


def test_a_tree_is_imported_and_served_from_its_folder(trees: dict[str, Path]) -> None:
    tests = (SITES, "-k", "site_of_the_route or health")
    ran = run_pytest(*tests, "--tree", trees["buggy"], env=PLAN)
    assert (ran.code, "5 failed" in ran.said) == (1, True)
    assert str(trees["buggy"].resolve() / "netra_ws" / "routes") in ran.said
    assert "500 application/problem+json" in ran.said


def test_a_package_that_is_not_the_one_under_test_is_refused(trees: dict[str, Path]) -> None:
    ran = run_pytest(*FOUR_SITES, env=python_path(trees["buggy"]) | {"PYTHONSAFEPATH": "1"})
    assert ran.code == 4
    assert "netra_ws came from" in ran.said
    assert "--tree" in ran.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--revision", "buggy", "--tree", "."), "exclude each other"),
        (("--tree", "docs"), "docs holds no package netra_ws"),
        (("--revision", "newest"), "newest"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: tuple[str, ...], words: str, ask_pytest: Callable[..., Ran]
) -> None:
    ran = ask_pytest(SITES, *arguments)
    assert ran.code == 4
    assert words in ran.said
    assert "Traceback" not in ran.said


# Staging


def test_without_staging_one_line_says_how_to_run_it(ask_pytest: Callable[..., Ran]) -> None:
    ran = ask_pytest(E2E)
    assert ran.code == 0
    (line,) = [line for line in ran.said.splitlines() if "--staging" in line]
    assert re.fullmatch(r"\d+ end-to-end tests skipped; to run them, add --staging", line)


@pytest.mark.parametrize("environment", ["local", "staging"])
def test_a_local_staging_deployment_is_started_and_said(
    environment: str, ask_pytest: Callable[..., Ran]
) -> None:
    ran = ask_pytest(E2E, "-k", "health", "--staging", "-v", env={"TEST_ENVIRONMENT": environment})
    assert ran.code == 0, ran.said
    assert "a local deployment of fixed" in ran.said


@pytest.fixture(scope="module")
def local_staging() -> Iterator[StagingDeployment]:
    """What the tests get if no address is given."""
    with deploy_staging() as deployment:
        yield deployment


def credentials(deployment: StagingDeployment) -> dict[str, str]:
    first, second = deployment.users[:2]
    return {
        "STAGING_BASE_URL": deployment.backend,
        "STAGING_AUTH_URL": deployment.auth,
        "STAGING_EMAIL": first.email,
        "STAGING_PASSWORD": first.password,
        "STAGING_EMAIL_2": second.email,
        "STAGING_PASSWORD_2": second.password,
    }


async def test_given_addresses_are_used_and_nothing_is_started(
    local_staging: StagingDeployment, ask_pytest: Callable[..., Ran]
) -> None:
    """The revision decides nothing then: what serves at the addresses is what is tested."""
    options = ("--staging", "--revision", "buggy", "-v")
    ran = await asyncio.to_thread(ask_pytest, E2E, *options, env=credentials(local_staging))
    assert ran.code == 0, ran.said
    assert f"staging: {local_staging.backend}, {local_staging.auth}" in ran.said
    assert "a local deployment" not in ran.said
    assert (await request(f"{local_staging.backend}/ws/stats")).json()["events"] > 0


def test_without_credentials_nothing_is_sent(ask_pytest: Callable[..., Ran]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = "http://{}:{}".format(*listener.getsockname())
        ran = ask_pytest(E2E, "--staging", env={"STAGING_BASE_URL": url, "STAGING_AUTH_URL": url})
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert ran.code == 4
    for name in ("STAGING_EMAIL", "STAGING_PASSWORD", "STAGING_EMAIL_2", "STAGING_PASSWORD_2"):
        assert name in ran.said


def test_a_name_is_not_even_resolved_without_credentials(ask_pytest: Callable[..., Ran]) -> None:
    env = {
        "STAGING_BASE_URL": "https://backend.elsewhere.example",
        "STAGING_AUTH_URL": "https://auth.elsewhere.example",
    }
    ran = ask_pytest(E2E, "--staging", env=env)
    assert ran.code == 4
    assert "staging at https://backend.elsewhere.example" in ran.said
    assert "cannot be reached" not in ran.said


def test_an_address_where_nobody_listens_is_refused(
    local_staging: StagingDeployment, ask_pytest: Callable[..., Ran]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = "http://{}:{}".format(*nobody.getsockname())
        ran = ask_pytest(
            E2E, "--staging", env=credentials(local_staging) | {"STAGING_BASE_URL": url}
        )
    assert ran.code == 4
    assert f"{url} cannot be reached" in ran.said
    assert "unset STAGING_BASE_URL and STAGING_AUTH_URL" in ran.said


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"STAGING_BASE_URL": "http://127.0.0.1:9"}, "STAGING_AUTH_URL is not set"),
        ({"STAGING_AUTH_URL": "http://127.0.0.1:9"}, "STAGING_BASE_URL is not set"),
        (
            {"STAGING_BASE_URL": "127.0.0.1:9", "STAGING_AUTH_URL": "http://127.0.0.1:9"},
            "expected http:// or https://",
        ),
    ],
)
def test_addresses_that_are_none_are_refused(
    env: dict[str, str], words: str, ask_pytest: Callable[..., Ran]
) -> None:
    ran = ask_pytest(E2E, "--staging", env=env)
    assert ran.code == 4
    assert words in ran.said


def test_this_process_stays_on_this_machine() -> None:
    with pytest.raises(RuntimeError, match="tried to resolve elsewhere"):
        socket.getaddrinfo("elsewhere.example", 443)
    with socket.socket() as peer, pytest.raises(RuntimeError, match="tried to connect to 192"):
        peer.connect(("192.0.2.1", 80))  # a documentation address, RFC 5737


# What staging is


def test_the_two_services_are_processes_of_their_own(local_staging: StagingDeployment) -> None:
    assert len({local_staging.pid, local_staging.auth_pid, os.getpid()}) == 3


async def test_staging_has_no_echo_and_no_demo_users(local_staging: StagingDeployment) -> None:
    assert (await request(f"{local_staging.backend}/ws/health")).status == 200
    assert (await refusal(local_staging.backend, None, path="/ws/test")).status == 404
    assert not any(user.email.endswith("@demo.example") for user in local_staging.users)


@pytest.mark.parametrize(
    ("options", "env", "words"),
    [
        ((), {}, "TEST_ENVIRONMENT=staging has no default secret"),
        (("--demo-users", "1"), {"NETRA_WS_SECRET": "s" * 32}, "has no demo users"),
    ],
)
def test_staging_has_no_defaults(
    options: tuple[str, ...],
    env: dict[str, str],
    words: str,
    tmp_path: Path,
    run_netra_ws: RunNetraWs,
) -> None:
    done = run_netra_ws("serve", *options, cwd=tmp_path, env={"TEST_ENVIRONMENT": "staging", **env})
    assert done.returncode == 2
    assert words in done.stderr


# One service in a process


async def test_a_token_of_one_process_opens_the_other(local_staging: StagingDeployment) -> None:
    earlier = local_staging.pid
    token = (await log_in(local_staging.auth, local_staging.users[0])).token
    local_staging.redeploy(told_case().before)
    assert local_staging.pid != earlier
    answer = await refusal(local_staging.backend, token, path="/ws/elsewhere")
    assert answer.status == 404, "past the token"


@pytest.mark.parametrize("service", ["backend", "auth"])
def test_one_service_announces_itself_alone(service: str, serve: Serve) -> None:
    server = serve("--service", service, env={"NETRA_WS_SECRET": "s" * 32})
    other = {"backend": "auth", "auth": "backend"}[service]
    assert server.announcement[service].startswith("http://127.0.0.1:")
    assert server.announcement[other] is None
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "env", "words"),
    [
        (("--service", "auth"), {}, "set NETRA_WS_SECRET for both"),
        (("--service", "backend"), {}, "set NETRA_WS_SECRET for both"),
        (
            ("--service", "backend", "--demo-users", "1"),
            {"NETRA_WS_SECRET": "s" * 32},
            "users belong to the login service",
        ),
    ],
)
def test_one_service_needs_what_it_shares(
    options: tuple[str, ...],
    env: dict[str, str],
    words: str,
    tmp_path: Path,
    run_netra_ws: RunNetraWs,
) -> None:
    done = run_netra_ws("serve", *options, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert words in done.stderr
