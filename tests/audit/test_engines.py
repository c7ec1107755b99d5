"""What the type checkers say, in one shape, and that the audited project cannot change it."""

import shutil
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from processes import netra_ws, python_path

from await_audit.engines import Settings, pyrefly, pyright
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.engines.language_server import definitions
from await_audit.source import Text

pytest.importorskip("pyright")

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable)

MODULE = """\
import asyncio

def plain() -> int: return 1
async def made() -> int: return 1

async def main():
    await plain()
    async with plain(): pass
    async for one in [1]: pass
    asyncio.create_task(plain())
    made()
    made().real
"""
COMMENTS = ("# type: ignore", "# pyrefly: ignore", "# type: ignore[not-async]", "# noqa")
FILES = {
    "symptoms.py": MODULE,
    "wide.py": 'async def main():\n    return "🎻漢é", await 1\n',
    "library.py": "async def load(): return 1\n",
    "user.py": "from library import load\nasync def main():\n    await load()\n",
    **{
        f"comment_{number}.py": f"async def main():\n    await 1  {comment}\n"
        for number, comment in enumerate(COMMENTS)
    },
}


@dataclass
class Checked:
    """A folder that is the search path of what stands in it, and what an engine says of that."""

    engine: ModuleType
    folder: Path
    said: list[Diagnostic]

    def of(self, name: str) -> list[Diagnostic]:
        return [one for one in self.said if one.path == self.folder / name]

    def again(self, folder: Path, texts: dict[str, str] | None = None) -> list[Diagnostic]:
        """Check a copy of the folder, with these texts in place of those of files."""
        given = {folder / name: text for name, text in (texts or {}).items()}
        files = [folder / name for name in FILES]
        said = self.engine.check(files, Settings(PYTHON, (folder,)), given)
        assert {one.path.parent for one in said} <= {folder}
        return said


@pytest.fixture(scope="module", params=[pyrefly, pyright], ids=lambda engine: engine.NAME)
def checked(request, tmp_path_factory) -> Checked:
    """All files, checked in one run: a type checker starts slowly."""
    folder = tmp_path_factory.mktemp("checked")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    found = Checked(request.param, folder, [])
    found.said = found.again(folder)
    return found


@pytest.fixture
def project(tmp_path):
    """A folder that is the search path of what stands in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def copy(checked, tmp_path):
    """A copy of the folder that was checked."""
    return shutil.copytree(checked.folder, tmp_path / "copy")


def check(engine, folder: Path, source: str, name: str = "app.py"):
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return engine.check([path], Settings(PYTHON, (folder,)))


def places(said: Iterable[Diagnostic]) -> list[tuple[Symptom, int, int, int]]:
    found = {(one.symptom, one.span.line, one.span.column, one.span.end_column) for one in said}
    return sorted(found, key=lambda place: place[1:])


def by_file(said: Iterable[Diagnostic]) -> set[tuple[str, Symptom, int, int]]:
    return {(one.path.name, one.symptom, one.span.line, one.span.column) for one in said}


def test_each_symptom_has_its_place(checked):
    said = checked.of("symptoms.py")
    assert [place for place in places(said) if place[1] not in {10, 12}] == [
        (Symptom.NOT_AWAITABLE, 7, 4, 17),
        (Symptom.NOT_ASYNC_CONTEXT, 8, 15, 22),
        (Symptom.NOT_ASYNC_ITERABLE, 9, 21, 24),
        (Symptom.DROPPED, 11, 4, 10),
    ]
    (argument,) = [one for one in said if one.span.line == 10]
    assert (argument.symptom, argument.subject, argument.types) == (
        Symptom.NOT_COROUTINE_ARGUMENT,
        "asyncio.create_task",
        ("int",),
    )
    (misused,) = [one for one in said if one.span.line == 12]
    assert misused.symptom is Symptom.MISUSED


def test_columns_are_code_points(checked):
    assert places(checked.of("wide.py")) == [(Symptom.NOT_AWAITABLE, 2, 18, 25)]


@pytest.mark.parametrize(
    "files",
    [
        {
            "pyrefly.toml": 'preset = "off"\nproject-excludes = ["**"]\n',
            "pyrightconfig.json": '{"typeCheckingMode": "off", "ignore": ["**"]}',
            ".gitignore": "*\n",
        },
        {  # which an engine reads where it finds no file of its own
            "pyproject.toml": '[tool.pyrefly]\npreset = "off"\n[tool.pyright]\nignore = ["**"]\n'
        },
    ],
    ids=["own files", "pyproject.toml"],
)
def test_no_configuration_of_the_project_changes_the_outcome(checked, copy, files):
    for name, text in files.items():
        (copy / name).write_text(text)
    assert by_file(checked.again(copy)) == by_file(checked.said)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("comment")])
def test_no_comment_for_another_tool_silences_a_line(checked, name):
    assert places(checked.of(name)) == [(Symptom.NOT_AWAITABLE, 2, 4, 11)]


def test_no_variable_of_the_environment_changes_the_outcome(checked, copy, monkeypatch):
    monkeypatch.setenv("PYREFLY_PRESET", "off")
    monkeypatch.setenv("PYREFLY_CONFIG", str(copy / "none.toml"))
    monkeypatch.setenv("PYTHONPATH", str(copy))
    assert by_file(checked.again(copy)) == by_file(checked.said)


def test_a_text_can_be_given_in_place_of_a_file(checked, copy):
    assert checked.of("user.py") == checked.of("library.py") == []
    said = checked.again(copy, {"library.py": "def load(): return 1\n"})
    assert by_file(said) - by_file(checked.said) == {("user.py", Symptom.NOT_AWAITABLE, 3, 4)}
    assert (copy / "library.py").read_text() == FILES["library.py"]


def test_a_path_stands_for_itself_alone(tmp_path):
    names = ("odd [d] name", "a*b", "what?", "{x}", "ümlaut", ".hidden")
    files = [tmp_path / name / "we[i]rd.py" for name in names]
    for path in files:
        path.parent.mkdir()
        path.write_text("async def main():\n    await 1\n", encoding="utf-8")
    beside = tmp_path / "odd d name" / "weird.py"  # which the names fit as patterns
    beside.parent.mkdir()
    beside.write_text("async def main():\n    await 1\n", encoding="utf-8")
    said = pyrefly.check(files, Settings(PYTHON, (tmp_path,)))
    assert sorted((one.path, one.span.line) for one in said) == sorted((path, 2) for path in files)


def test_a_module_beside_the_file_is_found_below_pythonpath(tmp_path, monkeypatch):
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    (folder / "beside.py").touch()
    (folder / "user.py").write_text("import beside\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert pyrefly.check([folder / "user.py"], Settings(PYTHON, (tmp_path,))) == []


def test_the_same_module_name_in_two_folders_is_the_one_beside(tmp_path):
    for name, word in (("one", "def"), ("two", "async def")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "library.py").write_text(f"{word} load() -> int: return 1\n")
        (folder / "user.py").write_text(
            "import library\nasync def main():\n    await library.load()\n"
        )
    files = sorted(tmp_path.rglob("*.py"))
    said = pyrefly.check(files, Settings(PYTHON, (tmp_path,)))
    assert [one.path for one in said] == [tmp_path / "one" / "user.py"]


def test_an_import_that_is_not_found_and_a_syntax_error_are_said(project):
    said = check(pyrefly, project, "import no_such_module\n")
    assert [(one.symptom, one.subject) for one in said] == [
        (Symptom.UNRESOLVED_IMPORT, "no_such_module")
    ]
    assert Symptom.SYNTAX_ERROR in {one.symptom for one in check(pyrefly, project, "def f(:\n")}


def test_an_import_is_that_of_the_audited_interpreter(project, tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "only_there.py").write_text("def load() -> int: return 1\n")
    path = project / "app.py"
    path.write_text("from only_there import load\nasync def main():\n    await load()\n")
    for python, symptom in (
        (tmp_path / "env" / "bin" / "python", Symptom.NOT_AWAITABLE),
        (PYTHON, Symptom.UNRESOLVED_IMPORT),
    ):
        said = pyrefly.check([path], Settings(python, (project,)))
        assert {one.symptom for one in said} == {symptom}


def test_a_definition_is_found_through_imports_inheritance_and_attributes(project):
    (project / "base.py").write_text("class Base:\n    def load(self): return 1\n")
    (project / "door.py").write_text("from base import Base as Base\n")
    path = project / "app.py"
    path.write_text(
        "from door import Base\n\n"
        "class Store(Base): pass\n\n"
        "class User:\n"
        "    def __init__(self): self.store = Store()\n"
        "    async def main(self): await self.store.load()\n"
    )
    text = Text.read(path)
    name = (path, text.text.index("load()"))
    found = definitions([name], {path: text}, Settings(PYTHON, (project,)))
    assert found == {name: (project / "base.py", 2)}


@pytest.mark.parametrize(("missing", "engine"), [("pyrefly", "pyrefly"), ("pyright", "both")])
def test_an_engine_that_is_not_there_is_an_error(project, tmp_path, missing, engine):
    (project / "app.py").touch()
    python = environment_without(missing, tmp_path / "env")
    run = netra_ws(
        *("audit", "--engine", engine, project),
        cwd=project,
        env=python_path(ROOT),
        command=(str(python), "-P", "-m", "netra_incident"),
    )
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"netra-ws: {missing} is not installed")
    assert f"pip install '{missing}" in line or f"pip install {missing}" in line


def environment_without(package: str, folder: Path) -> Path:
    """Make an environment that has what this one has but for one package; return its Python."""
    venv.create(folder, symlinks=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(package):
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"
