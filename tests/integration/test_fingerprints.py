"""The triage table: each way to fail, made for real, shows what its row says."""

from __future__ import annotations

import pytest

from netra_ws.incident.case import TriageRow, load_case
from netra_ws.incident.control import failing_tree
from netra_ws.incident.deployment import Deployment, deploy
from netra_ws.incident.fingerprint import NOTHING, fingerprint
from netra_ws.incident.triage import measure_failures

TABLE = load_case().fingerprints


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_a_failure_shows_what_its_row_says(row: TriageRow) -> None:
    with failing_tree(row) as tree, deploy(tree=tree, users=1) as deployment:
        first = await fingerprint(deployment)
        assert first.columns == row.columns
        # What all of them have in common: the client is let in, and told nothing.
        assert (first.handshake, first.messages, first.close_reason) == (101, 0, "")
        assert await fingerprint(deployment) == first
        words = [] if row.log == NOTHING else row.log.split(", ")
        lines = deployment.stderr().splitlines()
        assert any(all(word in line for word in words) for line in lines)
        assert str(tree) not in repr(first)


async def test_a_deployment_that_works_has_no_row(fixed: Deployment) -> None:
    healthy = await fingerprint(fixed)
    assert healthy.columns == (1000, 5, (200, 200, 200), NOTHING)
    assert healthy.columns not in [row.columns for row in TABLE]


def test_the_columns_tell_the_failures_apart() -> None:
    """As typed, and as they are read in the table: without the name and what to do next."""
    assert len({row.columns for row in TABLE}) == len(TABLE) == 4
    assert len({row.cells[1:-1] for row in TABLE}) == len(TABLE)


async def test_what_the_pages_show_is_measured_the_same_way() -> None:
    case = load_case()
    found = await measure_failures(case)
    assert found.differences(case) == []
    assert list(found) == [row.name for row in TABLE]
    del found["abrupt drop"]
    found["sync handler"] = found["needless await"]
    assert found.differences(case) == ["abrupt drop", "sync handler"]
