"""An outcome as SARIF: places as its readers count them, and nothing in doubt that looks clean."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from command import in_process

from await_audit.finding import Unjudged
from await_audit.sarif import document, uri

BAD = 'def make():\n    return 1\n\n\nasync def f():\n    x = "é𝒳"; await make()\n'


def run_of(*arguments: str, cwd: Path) -> dict[str, Any]:
    done = in_process("audit", "--output-format", "sarif", *arguments, cwd=cwd)
    written = json.loads(done.stdout)
    assert written["version"] == "2.1.0"
    (run,) = written["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    (invocation,) = run["invocations"]
    assert invocation["exitCode"] == done.returncode
    return run


@pytest.mark.parametrize("name", ["app.py", "a b.py", "é:%.py", "src/app.py"])
def test_a_finding_has_its_place_by_code_points(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(BAD)
    (one,) = run_of(".", cwd=tmp_path)["results"]
    assert (one["ruleId"], one["level"]) == ("await-sync/await-of-non-awaitable", "error")
    place, defined = (one[key][0]["physicalLocation"] for key in ("locations", "relatedLocations"))
    column = BAD.splitlines()[5].index("await") + 1
    assert place["region"] == {
        "startLine": 6,
        "startColumn": column,
        "endLine": 6,
        "endColumn": column + len("await make()"),
    }
    assert defined["region"] == {"startLine": 1}
    written = place["artifactLocation"]["uri"]
    assert urlsplit(written).scheme == ""
    assert unquote_to_bytes(written) == name.encode(errors="surrogateescape")


@pytest.mark.parametrize("line", ["\fawait make()", "'\u2028'; await make()"], ids=ascii)
def test_columns_are_right_behind_what_some_take_for_a_line_end(line: str, tmp_path: Path) -> None:
    text = f"def make():\n    return 1\n\n\nasync def f():\n    '\f'; {line.lstrip(chr(12))}\n"
    (tmp_path / "app.py").write_text(text)
    (one,) = run_of("app.py", cwd=tmp_path)["results"]
    region = one["locations"][0]["physicalLocation"]["region"]
    assert region["startLine"] == 6
    assert region["startColumn"] == text.split("\n")[5].index("await") + 1


def test_what_was_not_judged_is_a_notification(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import nowhere\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    run = run_of(".", cwd=tmp_path)
    assert not run["results"]
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    said = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]: one["level"]
        for one in invocation["toolExecutionNotifications"]
    }
    assert said == {"app.py": "warning", "broken.py": "warning"}


def test_a_place_without_a_line_is_a_file(tmp_path: Path) -> None:
    written = json.loads(document([], [Unjudged(tmp_path / "a", None, "why")], tmp_path, 2))
    (said,) = written["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert said["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a"}}}]


def test_a_path_is_a_uri_by_its_bytes(tmp_path: Path) -> None:
    assert uri(tmp_path / "other" / "app.py", tmp_path / "here") == "../other/app.py"
    assert uri(tmp_path / "a\udcffb é.py", tmp_path) == "a%FFb%20%C3%A9.py"
