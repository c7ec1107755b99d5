"""What was not given and is imported counts for the own checks as if it had been given."""

import os
import sys
from pathlib import Path

import pytest

from await_audit.audit import audit

PYTHON = Path(sys.executable)
LIBRARY = "async def load() -> int:\n    return 1\n"
CALLER = """\
from {} import load


async def main() -> None:
    print(f"{{load()}}")
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


LAYOUTS = {
    "above": ("library", "library", ""),
    "in a src folder": ("src__library", "library", "pyproject"),
    "in a namespace of src": ("src__names__library", "names.library", "pyproject"),
    "in a package": ("package__library", "package.library", ""),
    "in two folders above": ("library", "library", "pyproject"),
}


@pytest.mark.parametrize(("file", "module", "mark"), LAYOUTS.values(), ids=list(LAYOUTS))
@pytest.mark.parametrize("given", ["scripts", "scripts/deep/job.py"])
def test_a_coroutine_from_a_file_that_was_not_given_is_found(file, module, mark, given, tmp_path):
    write(tmp_path, **{file: LIBRARY, "scripts__deep__job": CALLER.format(module)})
    if mark:
        (tmp_path / "pyproject.toml").touch()
    root = tmp_path / "scripts"
    report = audit([tmp_path / given], python=PYTHON, root=root)
    assert (report.unjudged, [one.span.line for one in report.findings]) == ((), [5])
    (found,) = report.findings
    assert found.definition is not None
    path = Path(os.path.normpath(found.definition.path))
    assert path == tmp_path / f"{file.replace('__', '/')}.py"


def test_it_is_followed_through_others(tmp_path):
    door = "from library import (  # the door\n    load,\n)\n"
    write(tmp_path, library=LIBRARY, door=door, scripts__job=CALLER.format("door"))
    report = audit([tmp_path / "scripts"], python=PYTHON, root=tmp_path / "scripts")
    assert [one.span.line for one in report.findings] == [5]


@pytest.mark.parametrize(
    "line", ["from . import library\nfrom .library import load", "from .library import load"]
)
def test_a_relative_import_is_followed_in_a_package(line, tmp_path):
    caller = CALLER.format("x").replace("from x import load", line)
    write(tmp_path, package__library=LIBRARY, package__job=caller)
    (tmp_path / "package" / "__init__.py").touch()
    report = audit([tmp_path / "package" / "job.py"], python=PYTHON, root=tmp_path / "package")
    assert [one.path.name for one in report.findings] == ["job.py"]


def test_what_a_mock_stands_for_is_looked_for_by_its_name(tmp_path):
    test = (
        "from unittest.mock import AsyncMock, patch\n\n\ndef test_it() -> None:\n"
        '    with patch("app.library.get", AsyncMock()):\n        pass\n'
    )
    write(tmp_path, app__library="def get() -> int:\n    return 1\n", tests__test_it=test)
    report = audit([tmp_path / "tests"], python=PYTHON, root=tmp_path)
    assert [one.rule for one in report.findings] == ["async-mock-of-sync"]


def test_one_that_cannot_be_parsed_is_not_judged(tmp_path):
    write(
        tmp_path,
        library=f"{LIBRARY}{'(' * 300}1{')' * 300}\n",
        scripts__job=CALLER.format("library"),
    )
    report = audit([tmp_path / "scripts"], python=PYTHON, root=tmp_path / "scripts")
    (said,) = report.unjudged
    assert (said.path, said.line) == (tmp_path / "library.py", 3)
    assert "which runs netra-ws, cannot parse it" in said.why
    assert report.exit_code == 2


def test_files_are_named_from_the_working_directory_wherever_they_are(tmp_path):
    write(tmp_path, project__library=LIBRARY, project__job=CALLER.format("library"))
    (tmp_path / "elsewhere").mkdir()
    report = audit([tmp_path / "project" / "job.py"], python=PYTHON, root=tmp_path / "elsewhere")
    (found,) = report.findings
    assert found.path == tmp_path / "project" / "job.py"
    assert found.definition is not None
    assert found.definition.path == tmp_path / "project" / "library.py"


@pytest.mark.parametrize("name", ["größe", "été", "ﬁnd"])
def test_a_name_may_have_any_letters(name, tmp_path):
    text = f"async def {name}(): ...\n\n\nasync def main():\n    print(f'{{{name}()}}')\n"
    (tmp_path / "app.py").write_text(text, encoding="utf-8")
    report = audit([tmp_path], python=PYTHON, root=tmp_path)
    assert [one.span.line for one in report.findings] == [5]
