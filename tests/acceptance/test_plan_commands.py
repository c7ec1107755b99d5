"""The commands of docs/plan.md, run as they are written there.

It takes minutes, so a plain `pytest` leaves it out; `make acceptance` runs it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import leash
import pytest
from limits import HANG_S
from processes import clean_environment

from netra_incident.case import told_case
from netra_incident.history.deployment import deploy_staging
from netra_incident.probe.logins import VARIABLES
from netra_incident.proof.attempts import injuries, partial_fixes
from netra_ws.wire.urls import is_loopback

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
VERIFY_LIMIT_S = 4 * HANG_S
ADDRESSES = ("STAGING_BASE_URL", "STAGING_AUTH_URL")

WRITTEN = re.compile(
    r"^```bash\n(.*?)^```\n\n"
    r"`fixed`: exit code (\d), ([^.]+)\. `buggy`: exit code (\d), ([^.]+)\.$",
    re.DOTALL | re.MULTILINE,
)
"""A block, and the line below it that says how it ends on each revision."""

WATCH = """\
import sys

def watch(event, arguments):
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if host:
        with open({seen!r}, "a") as seen:
            print(host.decode() if isinstance(host, bytes) else host, file=seen)

sys.addaudithook(watch)
"""
"""As sitecustomize.py, run by every Python that has its folder on PYTHONPATH."""


@dataclass(frozen=True)
class Block:
    """The commands of one shell; by revision, the exit code and pytest's counts to expect."""

    commands: str
    expected: dict[str, tuple[int, dict[str, int]]]

    @property
    def names_staging(self) -> bool:
        return any(f"export {name}=" in self.commands for name in ADDRESSES)

    def at(self, *urls: str) -> str:
        """Return the commands with these addresses in place of those of the plan."""
        commands = self.commands
        for name, url in zip(ADDRESSES, urls, strict=True):
            export = re.compile(rf"^(export {name}=)\S+$", re.MULTILINE)
            commands, n = export.subn(rf"\g<1>{url}", commands)
            assert n == 1
        return commands

    def on(self, revision: str) -> str:
        """Return the commands with the option that `buggy` takes."""
        if revision == "fixed":
            return self.commands
        python = re.compile(r"^python .*$", re.MULTILINE)
        return python.sub(rf"\g<0> --revision {revision}", self.commands)


def counts(line: str) -> dict[str, int]:
    """Return how many passed, failed and so on, but for the tests of others."""
    found = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", line)}
    return {what: number for what, number in found.items() if what != "deselected"}


def _blocks() -> Iterator[tuple[str, Block]]:
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        title = re.sub(r"\W+", "-", section.partition("\n")[0].lower())
        for number, found in enumerate(WRITTEN.findall(section), 1):
            commands, fixed, good, buggy, bad = found
            expected = {"fixed": (int(fixed), counts(good)), "buggy": (int(buggy), counts(bad))}
            yield f"{title}-{number}", Block(commands, expected)


BLOCKS = dict(_blocks())
(STAGING,) = [name for name, block in BLOCKS.items() if block.names_staging]


class Ran(NamedTuple):
    """How a shell ended; `hosts` are the names and addresses that its processes asked for."""

    code: int
    said: str
    hosts: set[str]

    def counts(self) -> dict[str, int]:
        lines = re.findall(r"^=+ (.*) in [\d.]+s.* =+$", self.said, re.MULTILINE)
        assert lines, self.said
        return counts(lines[-1])


Run: TypeAlias = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A shell in the root of the project; nothing that configures tests comes from the caller."""
    seen = tmp_path / "hosts"
    (tmp_path / "sitecustomize.py").write_text(WATCH.format(seen=str(seen)))
    kept = {
        name: value
        for name, value in clean_environment().items()
        if not name.startswith(("STAGING_", "PYTEST_", "PYTHON"))
    }
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def run(
        commands: str, environment: dict[str, str] | None = None, limit_s: float = HANG_S
    ) -> Ran:
        # Empty, as it is for most people, where the commands add to it.
        kept["PYTHONPATH"] = "" if "PYTHONPATH" in commands else str(tmp_path)
        done = leash.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            timeout_s=limit_s,
            cwd=ROOT,
            env=kept | (environment or {}),
            stderr=subprocess.STDOUT,
        )
        hosts = set(seen.read_text().split()) if seen.exists() else set()
        return Ran(done.returncode, done.stdout, hosts)

    return run


def test_every_block_says_how_it_ends() -> None:
    assert len(BLOCKS) == TEXT.count("```bash\n")


@pytest.mark.parametrize("revision", ["fixed", "buggy"])
@pytest.mark.parametrize("name", [name for name in BLOCKS if name != STAGING])
def test_a_block_ends_as_it_is_written(run: Run, name: str, revision: str) -> None:
    block = BLOCKS[name]
    ran = run(block.on(revision))
    _check(block, revision, ran)
    assert ran.hosts or "PYTHONPATH" in block.commands


def _check(block: Block, revision: str, ran: Ran) -> None:
    assert (ran.code, ran.counts()) == block.expected[revision], ran.said
    assert "RuntimeError" not in ran.said
    assert not [host for host in ran.hosts if not is_loopback(host)]


# Staging somewhere else


@pytest.mark.parametrize("revision", ["fixed", "buggy"])
def test_the_block_of_staging_ends_as_it_is_written(run: Run, revision: str) -> None:
    """On the addresses of a local staging deployment: what serves there is what is tested."""
    block = BLOCKS[STAGING]
    with deploy_staging(told_case().revision(revision)) as deployment:
        logins = {
            name: value
            for names, user in zip(VARIABLES, deployment.users, strict=False)
            for name, value in zip(names, (user.email, user.password), strict=True)
        }
        commands = block.at(deployment.backend, deployment.auth)
        ran = run(commands, logins)
        assert f"staging: {deployment.backend}, {deployment.auth}" in ran.said
    _check(block, revision, ran)
    assert ran.hosts


def test_staging_without_logins_fails_before_any_name_is_resolved(run: Run) -> None:
    """The very addresses of the plan."""
    ran = run(BLOCKS[STAGING].commands)
    assert ran.code == 4
    (line,) = [line for line in ran.said.splitlines() if line.strip()]
    assert line.startswith("ERROR: staging at https://backend.staging.netrasystems.ai: logins: ")
    for names in VARIABLES:
        for name in names:
            assert name in line
    assert ran.hosts == set()


# Incomplete fixes


@pytest.mark.timeout(2 * VERIFY_LIMIT_S)
def test_every_partial_fix_and_every_injury_is_caught(run: Run) -> None:
    command = "netra-ws verify --partial-fixes --json"
    ran = run(command, limit_s=VERIFY_LIMIT_S)
    assert ran.code == 0, ran.said
    document = json.loads(ran.said)
    assert document["resolved"] is True
    partial = [attempt.name for attempt in partial_fixes(told_case())]
    other = [attempt.name for attempt in injuries(told_case())]
    assert len(partial) == 15
    assert other
    assert [attempt["name"] for attempt in document["attempts"]] == partial + other
    tests = {*document["FAIL_TO_PASS"], *document["PASS_TO_PASS"]}
    for attempt in document["attempts"]:
        assert attempt["said"] == ""
        assert attempt["caught_by"], attempt["name"]
        assert set(attempt["caught_by"]) <= tests
    assert not [host for host in ran.hosts if not is_loopback(host)]
