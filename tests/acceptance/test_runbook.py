"""The runbook, carried out as it is written: every command runs and shows what is shown there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import leash
import pytest
from limits import HANG_S

from netra_incident.case import TriageRow, told_case
from netra_incident.history.control import failing_tree
from netra_incident.measuring.fingerprint import NOTHING
from netra_incident.measuring.load import ENDPOINTS

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "runbook.md").read_text(encoding="utf-8")
TABLE = told_case().fingerprints
IN_THE_PROJECT = "in the checkout of the project"
MARK = "\x1e"
"""Printed before each block, so that its output can be told from that of the one before."""

PIECES = re.compile(
    r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$|^(?P<fold></?details>)|^(?P<advice>- If |If )",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Step:
    """A block of commands; those of a folded one stand in for what an incident brings along."""

    commands: str
    folded: bool
    expected: list[str] = field(default_factory=list)
    advice: bool = False


@dataclass
class Section:
    title: str
    text: str
    steps: list[Step]


def _steps(text: str) -> Iterator[Step]:
    step, folded = None, False
    for piece in PIECES.finditer(text):
        if piece["fold"]:
            folded = piece["fold"] == "<details>"
        elif piece["kind"] == "bash":
            if step:
                yield step
            step = Step(piece["text"], folded)
        elif step and piece["kind"] == "text":
            step.expected += piece["text"].splitlines()
        elif piece["kind"]:
            raise AssertionError(f"expected bash, or text after it; got {piece[0]}")
        elif step:
            step.advice = True
    if step:
        yield step


def _sections() -> dict[str, Section]:
    parts = [part.partition("\n") for part in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]]
    return {title: Section(title, text, list(_steps(text))) for title, _, text in parts}


SECTIONS = _sections()
WITH_COMMANDS = [section for section in SECTIONS.values() if section.steps]


def unmet(expected: Sequence[str], output: str) -> list[str]:
    """Return the expected lines from the first on that does not come after those before it.

    … stands for anything within a line, and one space for any number of them.
    """
    lines = (" ".join(line.split()) for line in output.splitlines())
    for number, wanted in enumerate(expected):
        words = map(re.escape, " ".join(wanted.split()).split("…"))
        pattern = re.compile(".*".join(words))
        if not any(pattern.fullmatch(line) for line in lines):
            return list(expected[number:])
    return []


def _end(group: int) -> bool:
    """End what still runs of a group of processes; returns whether there was anything."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def run(section: Section, folder: Path, cwd: Path) -> list[str]:
    """Run the blocks of a section in one bash, as somebody with no configuration at all.

    Returns the output of each. What is still running after the end fails the test, and is ended.
    """
    script = "\n".join(f"printf '\\x1e'\n{step.commands}" for step in section.steps)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bash = shutil.which("bash")
    assert bash is not None
    process = leash.start(
        [bash, "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env={"PATH": path, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=HANG_S)
    finally:
        left = _end(process.pid)
        leash.end(process)
    assert process.returncode == 0, output
    assert not left, f"expected the section to end its servers, one still ran after\n{output}"
    return output.split(MARK)[1:]


@pytest.mark.parametrize("section", WITH_COMMANDS, ids=lambda section: section.title)
def test_the_commands_show_what_is_shown(section: Section, tmp_path: Path) -> None:
    scratch, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    scratch.mkdir()
    elsewhere.mkdir()
    cwd = ROOT if IN_THE_PROJECT in section.text else elsewhere
    before = set(cwd.iterdir())
    outputs = run(section, scratch, cwd)
    for step, output in zip(section.steps, outputs, strict=True):
        missing = unmet(step.expected, output)
        assert not missing, f"expected {missing[0]!r}, got\n{output}"
    assert set(cwd.iterdir()) == before


def test_the_sections_are_in_the_order_of_an_incident() -> None:
    assert list(SECTIONS) == [
        "Before you start",
        "Symptoms",
        "Triage",
        "Confirm",
        "Fix",
        "Verify",
        "Roll back",
        "Reapply",
        "Rehearse",
        "Monitor",
        "Escalate",
    ]
    assert [title for title, section in SECTIONS.items() if not section.steps] == [
        "Symptoms",
        "Triage",
    ]


@pytest.mark.parametrize("section", WITH_COMMANDS, ids=lambda section: section.title)
def test_each_step_says_what_to_expect_and_what_to_do_if_it_differs(section: Section) -> None:
    steps = [step for step in section.steps if not step.folded]
    assert steps
    for step in steps:
        assert step.expected, step.commands
        assert step.advice, step.commands


def test_the_triage_table_is_that_of_the_case() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", SECTIONS["Triage"].text, re.MULTILINE)
    assert [table.strip() for table in tables] == [TABLE._repr_markdown_()]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_commands_tell_each_failure(row: TriageRow, tmp_path: Path) -> None:
    """They show what its row says, and what the table of what can be monitored says of it."""
    start, ask, find = SECTIONS["Confirm"].steps
    count = SECTIONS["Monitor"].steps[-1]
    find = replace(find, commands=f"{find.commands.strip()} || true\n")  # grep that finds nothing
    with failing_tree(told_case(), row) as tree:
        served = start.commands.replace("--revision buggy", f"--tree '{tree}'")
        assert str(tree) in served
        steps = [replace(start, commands=served), ask, find, count]
        _, probed, found, counted = run(Section(row.name, "", steps), tmp_path, tmp_path)
    mark = "ok" if set(row.endpoints) == {200} else "FAILED"
    statuses = ", ".join(map(" ".join, zip(ENDPOINTS, map(str, row.endpoints), strict=True)))
    shown = [
        f"FAILED connect … close code {row.close_code}, reason ''",
        f"{mark} endpoints …{statuses}",
    ]
    assert not unmet([*shown, "exit code 1"], probed), probed
    if row.log == NOTHING:
        assert found.split() == []
    else:
        lines = found.splitlines()
        assert any(all(word in line for word in row.log.split(", ")) for line in lines), found
    assert not unmet(['netra_ws_handshakes_total{status="101"} 1.0'], counted), counted
    [code] = re.findall(r'disconnects_total\{code="(\d+)"\}', counted)
    failures = "rises" if "handler_failures_total{" in counted else "silent"
    cells = (row.name, "fails", str(row.endpoints[0]), failures, code)
    assert f"| {' | '.join(cells)} |\n" in SECTIONS["Monitor"].text


def test_an_expectation_that_is_not_met_is_named() -> None:
    output = "one  1.5 s\ntwo\nthree\n"
    assert unmet(["one … s", "three"], output) == []
    assert unmet(["one … s", "two", "two"], output) == ["two"]
    assert unmet(["two", "one … s", "three"], output) == ["one … s", "three"]
    assert unmet(["thre"], output) == ["thre"]


def test_a_command_that_fails_fails_its_section(tmp_path: Path) -> None:
    for commands in ("false\n", "false | true\n", "echo $unset\n"):
        section = Section("", "", [Step(f"echo before\n{commands}", folded=False)])
        with pytest.raises(AssertionError, match="before"):
            run(section, tmp_path, tmp_path)


def test_a_server_that_outlives_its_section_fails_it(tmp_path: Path) -> None:
    section = Section("", "", [Step("sleep 60 > /dev/null 2>&1 &\n", folded=False)])
    with pytest.raises(AssertionError, match="still ran"):
        run(section, tmp_path, tmp_path)
