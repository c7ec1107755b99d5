"""A report as text: for people, for programs, for GitHub."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from await_audit import report as reports
from await_audit.finding import Definition, Finding, Kind, Report, Span, Unjudged

SOURCE = "async def main():\n\tx = await (\n\t\tmake()\n\t)\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(SOURCE)
    return tmp_path


def report_of(folder: Path, *findings: Finding, **rest) -> Report:
    return Report(
        root=folder,
        interpreter=folder / ".venv" / "bin" / "python",
        interpreter_source="VIRTUAL_ENV",
        engines=(("pyrefly", "1.4.1"),),
        files=(folder / "src" / "app.py",),
        findings=findings,
        unjudged=rest.get("unjudged", ()),
        unused_ignores=rest.get("unused_ignores", ()),
    )


def finding(folder: Path, message: str = "`Manager` is not awaitable") -> Finding:
    return Finding(
        path=folder / "src" / "app.py",
        span=Span(2, 5, 4, 2),
        kind=Kind.AWAIT_SYNC,
        rule="await-of-non-awaitable",
        message=message,
        engines=("pyrefly",),
        definition=Definition(folder / "make.py", 7, "`make` is a `def`, so it returns at once"),
    )


def written(report: Report, folder: Path) -> str:
    stream = io.StringIO()
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for line in reports.full(report, folder):
        console.print(line)
    return stream.getvalue()


def test_people_see_the_source_and_the_reason(project):
    assert written(report_of(project, finding(project)), project) == (
        "src/app.py:2:6: await-sync: `Manager` is not awaitable [await-of-non-awaitable]\n"
        "  2 |  x = await (\n"
        "  3 |   make()\n"
        "  4 |  )\n"
        "  defined in make.py:7: `make` is a `def`, so it returns at once\n"
        "\n"
        "Python: .venv/bin/python (VIRTUAL_ENV); checked with pyrefly 1.4.1\n"
        "1 finding in 1 file\n"
    )


def test_a_file_that_went_away_is_reported_without_its_source(project):
    (project / "src" / "app.py").unlink()
    assert "  defined in make.py:7" in written(report_of(project, finding(project)), project)


def test_what_was_not_judged_for_one_reason_is_one_line(project):
    app = project / "src" / "app.py"
    why = "the import of yaml was not resolved"
    report = report_of(
        project,
        unjudged=(
            Unjudged(app, 1, why),
            Unjudged(app, 2, why),
            Unjudged(project / "a.py", None, "cannot be read"),
            Unjudged(project / "b.py", None, "cannot be read"),
        ),
        unused_ignores=(Unjudged(app, 3, "this ignore[unawaited] silences nothing"),),
    )
    assert written(report, project).splitlines() == [
        "src/app.py:3: this ignore[unawaited] silences nothing",
        f"src/app.py:1: not judged: {why} (and in 1 more place)",
        "a.py: not judged: cannot be read",
        "b.py: not judged: cannot be read",
        "",
        "Python: .venv/bin/python (VIRTUAL_ENV); checked with pyrefly 1.4.1",
        "0 findings in 1 file; 4 places not judged; 1 ignore to take out or to mend",
    ]


def test_only_what_was_judged_whole_is_called_clean(project):
    assert written(report_of(project), project).endswith("0 findings in 1 file: clean\n")


def test_what_does_not_count_as_not_judged_is_counted(project):
    report = replace(report_of(project), guarded_imports=2, ignored_by_git=1)
    assert written(report, project).splitlines()[-1] == (
        "0 findings in 1 file; 2 guarded imports not resolved; 1 file left out, which git ignores"
    )
    assert report.exit_code == 0
    report = replace(report, guarded_imports=0)
    assert written(report, project).endswith("; 1 file left out, which git ignores: clean\n")


DRIVING = "\n\r\x1b[31m\x07\x7f\x9b\u2028\u202e\u2066\udcff"
"""What moves a terminal's cursor, colours it, or turns its text round, and half a letter."""


@pytest.fixture
def driven(project):
    name = f"a{DRIVING.replace(chr(0), '')}.py"
    source = "async def main():\n    await '\x1b[31m\x07\u202e\t'\n"
    (project / name).write_text(source, encoding="utf-8")
    found = Finding(
        path=project / name,
        span=Span(2, 4, 2, 20),
        kind=Kind.AWAIT_SYNC,
        rule="await-of-non-awaitable",
        message=f"`{DRIVING}`",
        engines=("pyrefly",),
        definition=Definition(project / name, 7, DRIVING),
    )
    places = (Unjudged(project / name, 1, DRIVING),)
    report = report_of(project, found, unjudged=places, unused_ignores=places)
    return replace(report, interpreter=project / DRIVING, interpreter_source=DRIVING)


def test_nothing_that_is_named_or_quoted_drives_a_terminal(driven, project):
    lines = written(driven, project).splitlines()
    assert len(lines) == 9
    assert all(map(str.isprintable, lines))
    assert r"a\n\r\x1b[31m\x07\x7f\x9b\u2028\u202e\u2066\udcff.py:2:5: await-sync" in lines[0]
    assert lines[1] == r"  2 |     await '\x1b[31m\x07\u202e '"


@pytest.mark.parametrize("form", [reports.json_lines, reports.github])
def test_nothing_drives_it_in_a_form_for_programs(form, driven, project):
    lines = list(form(driven, project))
    assert all(map(str.isprintable, lines))
    assert len(lines) == (1 if form is reports.json_lines else 3)


def test_json_is_ascii_and_says_the_name_of_the_file(driven, project):
    (line,) = reports.json_lines(driven, project)
    assert line.isascii()
    assert json.loads(line)["file"] == driven.findings[0].path.name


@pytest.mark.parametrize("text", ["a b", "é漢😀", "\\", "'\"", ""])
def test_what_can_be_printed_stays_as_it_is(text):
    assert reports.printable(text) == text


def test_programs_get_one_object_a_line(project):
    (line,) = reports.json_lines(report_of(project, finding(project)), project)
    assert json.loads(line) == {
        "file": "src/app.py",
        "line": 2,
        "end_line": 4,
        "kind": "await-sync",
        "rule": "await-of-non-awaitable",
        "message": "`Manager` is not awaitable",
    }
    (line,) = reports.json_lines(report_of(project, finding(project)), project / "src")
    assert json.loads(line)["file"] == "app.py"


def test_github_gets_commands_with_their_signs_escaped(project):
    report = report_of(
        project,
        finding(project, "100 %\nof a, b: c"),
        unjudged=(Unjudged(project / "a,b:c.py", None, "cannot be read"),),
    )
    assert list(reports.github(report, project)) == [
        "::error file=src/app.py,line=2,endLine=4,col=6,"
        "title=await-sync (await-of-non-awaitable)::100 %25%0Aof a, b: c",
        "::warning file=a%2Cb%3Ac.py,title=not judged::cannot be read",
    ]
