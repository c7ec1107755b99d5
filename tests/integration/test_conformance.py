"""What ``make conformance`` makes of a report: the table, the verdict, the refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conformance.autobahn import DOCUMENTED, NON_STRICT, TOOL, Report, find_tool, main, read_report

from netra_ws.errors import ConfigurationError

PASSED = {"behavior": "OK", "behaviorClose": "OK"}
UNIMPLEMENTED = {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK"}


def report(
    *more: str, agent: str = "netra_ws", level: str = "warning", **changed: dict[str, str]
) -> Report:
    """A report of six cases, those of `changed` with other results (`_1_1_1` is case 1.1.1).

    `more` were announced as well.
    """
    results = {
        "1.1.1": PASSED,
        "3.2": {"behavior": NON_STRICT, "behaviorClose": "OK"},
        "7.1.5": {"behavior": "FAILED", "behaviorClose": "WRONG CODE"},
        "7.13.1": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"},
        "10.1.1": PASSED,
        "12.1.1": UNIMPLEMENTED,
        **{name.strip("_").replace("_", "."): result for name, result in changed.items()},
    }
    said = f"Autobahn\nCases = {[*results, *more]}\nServers = [u'ws://127.0.0.1:1/ws/test']\n"
    log = [{"event": "limit exceeded", "level": level}]
    return read_report(json.dumps({agent: results}).encode(), said, log)


def test_the_table_counts_each_group() -> None:
    assert report().table().splitlines() == [
        "  group  cases  ok  non-strict  informational  unimplemented  failed",
        "      1      1   1           0              0              0       0",
        "      3      1   0           1              0              0       0",
        "      7      2   0           0              1              0       1",
        "     10      1   1           0              0              0       0",
        "     12      1   0           0              0              1       0",
        "    all      6   2           1              1              1       1",
    ]


def test_what_websockets_documents_is_no_problem() -> None:
    assert report().problems == []


def test_non_strict_conforms_to_the_rfc() -> None:
    assert report(_1_1_1={"behavior": NON_STRICT, "behaviorClose": "OK"}).problems == []


def test_a_documented_case_may_pass_as_well() -> None:
    assert report(_3_2=PASSED, _7_1_5=PASSED).problems == []


FAILED = {"behavior": "FAILED", "behaviorClose": "OK"}
UNCLEAN = {"behavior": "OK", "behaviorClose": "UNCLEAN"}
UNHEARD = {"behavior": "SOMETHING NEW", "behaviorClose": "OK"}
DEVIATING = {
    "a failure": {"_1_1_1": FAILED},
    "a failure where non-strict is documented": {"_3_2": FAILED},
    "a close that is not clean": {"_1_1_1": UNCLEAN},
    "a result that is not known": {"_1_1_1": UNHEARD},
    "unimplemented outside of compression": {"_1_1_1": UNIMPLEMENTED},
    "compression that fails": {"_12_1_1": FAILED},
}


@pytest.mark.parametrize("changed", DEVIATING.values(), ids=list(DEVIATING))
def test_a_case_outside_of_the_list_is_a_problem(changed: dict[str, dict[str, str]]) -> None:
    ((name, result),) = changed.items()
    number = name.strip("_").replace("_", ".")
    behavior, close = result["behavior"], result["behaviorClose"]
    assert report(**changed).problems == [f"{number}: {behavior}, closed {close}"]


def test_a_case_that_was_not_run_is_a_problem() -> None:
    assert report("9.1.1").problems == ["9.1.1: was not run"]


def test_without_a_server_nothing_has_passed() -> None:
    assert "no case was run" in report(agent="another").problems


def test_an_error_in_the_server_is_a_problem() -> None:
    assert report(level="error").problems == ["the server logged an error: limit exceeded"]


def test_the_list_is_that_of_websockets() -> None:
    assert len(DOCUMENTED) == 12
    assert {number for number, (result, _) in DOCUMENTED.items() if result == "FAILED"} == {"7.1.5"}


def test_a_tool_that_names_no_cases_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="it said: Loading failed"):
        read_report(b"{}", "Using spec\nLoading failed\n", [])


@pytest.mark.parametrize("value", [None, "", "missing", "not-a-program"])
def test_without_the_tool_there_is_one_line_and_exit_code_2(
    value: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "not-a-program").write_text("it cannot be run")
    environ = {} if value is None else {TOOL: value and str(tmp_path / value)}
    assert main(environ) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    assert line.startswith(f"conformance: {TOOL}")
    assert "expected a program" in line if value else "pip install autobahntestsuite" in line


def test_the_tool_is_found_by_its_path(tmp_path: Path) -> None:
    tool = tmp_path / "wstest"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert find_tool({TOOL: str(tool)}) == str(tool)
