"""One running deployment of each revision, for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netra_ws.incident.deployment import Deployment, deploy

USERS = 20


def _deployed(revision: str) -> Iterator[Deployment]:
    with deploy(revision, users=USERS) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def before() -> Iterator[Deployment]:
    """The healthy past."""
    yield from _deployed("before")


@pytest.fixture(scope="session")
def buggy() -> Iterator[Deployment]:
    """The incident."""
    yield from _deployed("buggy")


@pytest.fixture(scope="session")
def fixed() -> Iterator[Deployment]:
    """What the package ships."""
    yield from _deployed("fixed")


@pytest.fixture
def deployment(fixed: Deployment) -> Deployment:
    """The deployment under test, for everything that is marked `fail_to_pass`."""
    return fixed
