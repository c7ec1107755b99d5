"""The triage table: each way to fail, made for real, shows what its row says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from netra_incident.case import TriageRow, told_case
from netra_incident.history.control import failing_tree
from netra_incident.history.deployment import Deployment, deploy
from netra_incident.measuring.fingerprint import NOTHING, Fingerprint, fingerprint
from netra_incident.measuring.triage import Failures

TABLE = told_case().fingerprints


class Failure(NamedTuple):
    """What one deployment showed, twice, and what its log says."""

    tree: Path
    first: Fingerprint
    second: Fingerprint
    log: list[str]


@pytest.fixture(scope="module")
def failures() -> dict[str, Failure]:
    """The failures of the table by name, each deployed once."""

    async def show(row: TriageRow) -> Failure:
        with failing_tree(told_case(), row) as tree, deploy(tree=tree, users=1) as deployment:
            first, second = await fingerprint(deployment), await fingerprint(deployment)
            return Failure(tree, first, second, deployment.stderr().splitlines())

    return {row.name: asyncio.run(show(row)) for row in TABLE}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_failure_shows_what_its_row_says(row: TriageRow, failures: dict[str, Failure]) -> None:
    tree, first, second, log = failures[row.name]
    assert first.columns == row.columns
    # What all of them have in common: the client is let in, and told nothing.
    assert (first.handshake, first.messages, first.close_reason) == (101, 0, "")
    assert second == first
    words = [] if row.log == NOTHING else row.log.split(", ")
    assert any(all(word in line for word in words) for line in log)
    assert str(tree) not in repr(first)


async def test_a_deployment_that_works_has_no_row(fixed: Deployment) -> None:
    healthy = await fingerprint(fixed)
    assert healthy.columns == (1000, 5, (200, 200, 200), NOTHING)
    assert healthy.columns not in [row.columns for row in TABLE]


def test_the_columns_tell_the_failures_apart() -> None:
    """As typed, and as they are read in the table: without the name and what to do next."""
    assert len({row.columns for row in TABLE}) == len(TABLE) == 4
    assert len({row.cells[1:-1] for row in TABLE}) == len(TABLE)


def test_what_differs_from_the_table_is_named(failures: dict[str, Failure]) -> None:
    """Page 02 measures them the same way."""
    case = told_case()
    found = Failures({name: failure.first for name, failure in failures.items()})
    assert found.differences(case) == []
    del found["abrupt drop"]
    found["sync handler"] = found["superfluous await"]
    assert found.differences(case) == ["abrupt drop", "sync handler"]
