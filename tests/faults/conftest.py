"""Short and long forms of the faults, and what they measured.

A test declares its row with ``@pytest.mark.fault("name", promise="…")``, asserts the promise, and
says what it measured with the fixture `measured`. With ``--soak`` it runs its long form; when all
of them passed, ``docs/faults.json`` is written.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any

import fault_table
import pytest
from limits import HANG_S
from measuring import Measured

FAULT = "fault"
SOAK_TIMEOUT_S = 4 * HANG_S


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("netra_ws").addoption(
        "--soak",
        action="store_true",
        help="run the long forms of the faults; if all pass, write docs/faults.json",
    )


def is_soak(config: pytest.Config) -> bool:
    # Without a default this fails where the whole suite runs: pytest reads this file too late.
    return bool(config.getoption("--soak", default=False))


def pytest_configure(config: pytest.Config) -> None:
    if is_soak(config):
        config.pluginmanager.register(Soak(config), "soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a soak run the faults alone: the test of its table fails until it has been written."""
    if not is_soak(config):
        return
    faults = [item for item in items if item.get_closest_marker(FAULT) is not None]
    config.hook.pytest_deselected(items=[item for item in items if item not in faults])
    items[:] = faults
    for item in items:
        item.add_marker(pytest.mark.timeout(SOAK_TIMEOUT_S))


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether the long form is asked for."""
    return is_soak(request.config)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    """What this test measured: facts, and the sentence of its row. A fault needs a sentence."""
    facts = Measured()
    yield facts
    mark = request.node.get_closest_marker(FAULT)
    if mark is not None and facts.sentence:
        request.node.user_properties.append((FAULT, {"fault": mark.args[0], **facts.report()}))
        request.node.add_report_section("teardown", "measured", facts.sentence)  # pytest -rP


class Soak:
    """What the tests of one soak measured, and which of them did not pass."""

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._config = config
        self._measured: dict[str, dict[str, Any]] = {}
        self._failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test measured, once all of it has passed."""
        if not report.passed:
            self._failed.append(f"{report.nodeid} ({report.outcome} in its {report.when})")
        elif report.when == "teardown":
            for name, value in report.user_properties:
                if name == FAULT and isinstance(value, dict):
                    row = dict(value)
                    self._measured[row.pop("fault")] = row

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Keep the results if they are whole, or say what is missing."""
        if self._is_worker:
            return
        terminalreporter.section("soak")
        for name, row in self._measured.items():
            terminalreporter.line(f"{name}: {row['measured']}")
        try:
            about = {"python": platform.python_version(), "cpus": os.cpu_count()}
            results = fault_table.results(self._measured, self._failed, **about)
        except fault_table.PartialSoakError as partial:
            terminalreporter.line(str(partial), red=True)
            return
        fault_table.keep(results)
        terminalreporter.line("written: docs/faults.json; make docs shows it in docs/faults.md")
