"""The import contracts of `pyproject.toml`: each is broken by what it is there to refuse."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import HANG_S
from packages import PACKAGES, ROOT
from processes import clean_environment

LINT = Path(sysconfig.get_path("scripts")) / "lint-imports"

ROOTS = "netra_incident imports the other two, these nothing of anybody"
BACKEND = "The backend, from the process down to its errors"
AUDIT = "The audit, from edits down to findings"
INVESTIGATION = "The investigation, from the command line down to the case"
CIRCLES = "No circle anywhere, imports for type checking included"
ALL = {ROOTS, BACKEND, AUDIT, INVESTIGATION, CIRCLES}

FOR_TYPES = "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their contracts, to be copied."""
    folder = tmp_path_factory.mktemp("original")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=lambda at, names: [
                name for name in names if not (name.endswith(".py") or (Path(at) / name).is_dir())
            ],
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def broken(original: Path, tmp_path: Path) -> Callable[[], set[str]]:
    """Says which contracts the copy of the packages breaks."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)

    def lint() -> set[str]:
        done = subprocess.run(
            [LINT, "--no-cache"],
            cwd=tmp_path,
            env=clean_environment() | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=HANG_S,
        )
        outcomes = dict(re.findall(r"^(.+?) (KEPT|BROKEN)", done.stdout, re.MULTILINE))
        assert outcomes.keys() == ALL, done.stdout + done.stderr
        return {name for name, outcome in outcomes.items() if outcome == "BROKEN"}

    return lint


def test_the_packages_as_they_are_break_none(broken: Callable[[], set[str]]) -> None:
    assert broken() == set()


@pytest.mark.parametrize(
    ("module", "imported", "contracts"),
    [
        ("netra_ws/errors.py", "netra_incident.case", {ROOTS, BACKEND}),
        ("netra_ws/errors.py", "await_audit.finding", {ROOTS}),
        ("await_audit/finding.py", "netra_incident.case", {ROOTS}),
        ("await_audit/finding.py", "netra_ws.errors", {ROOTS}),
        ("netra_ws/event_log/memory.py", "netra_ws.wire.frames", {BACKEND}),
        ("await_audit/resolver/nodes.py", "await_audit.judging.names", {AUDIT}),
        ("netra_incident/history/checkout.py", "netra_incident.proof.suite", {INVESTIGATION}),
        ("netra_ws/wire/frames.py", "netra_ws.wire.socket", {CIRCLES}),
        ("await_audit/resolver/lookup.py", "await_audit.resolver.classes", {CIRCLES}),
        ("netra_incident/figures/style.py", "netra_incident.figures.resume", {CIRCLES}),
    ],
)
def test_an_import_against_the_direction_breaks_its_contract(
    module: str,
    imported: str,
    contracts: set[str],
    broken: Callable[[], set[str]],
    tmp_path: Path,
) -> None:
    with (tmp_path / module).open("a") as file:
        file.write(FOR_TYPES.format(imported))
    assert contracts <= broken() <= contracts | {CIRCLES}


@pytest.mark.parametrize(
    ("package", "contract"),
    [("netra_ws", BACKEND), ("await_audit", AUDIT), ("netra_incident", INVESTIGATION)],
)
def test_a_new_room_has_to_find_its_layer(
    package: str, contract: str, broken: Callable[[], set[str]], tmp_path: Path
) -> None:
    (tmp_path / package / "new_room.py").write_text("")
    assert broken() == {contract}
