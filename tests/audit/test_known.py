"""Whether what an installed type checker says can be read; a clean answer is else no all-clear."""

import sys
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.engines import Engine, Settings, known, pyrefly, pyright
from await_audit.errors import AuditError

PYTHON = Path(sys.executable)
BOTH = pytest.mark.parametrize("engine", [pyrefly, pyright], ids=lambda engine: engine.NAME)


@BOTH
def test_a_version_that_was_not_tested_is_asked_about_known_faults(engine, monkeypatch):
    monkeypatch.setitem(known.TESTED, engine.NAME, "0.0.0")
    known.check_known(engine)  # it is as good as the one that was


@pytest.mark.parametrize("said", [[], None], ids=["nothing", "another kind of answer"])
@BOTH
def test_a_type_checker_whose_words_cannot_be_read_is_no_all_clear(
    engine, said, tmp_path, monkeypatch
):
    """It runs, and in a release to come its answer has other rules, or another form."""
    (tmp_path / "app.py").write_text("async def main():\n    await len([])\n")
    monkeypatch.setitem(known.TESTED, engine.NAME, "0.0.0")
    answer = {"errors": said, "generalDiagnostics": said}
    monkeypatch.setattr(engine, "_run", lambda *_: answer)
    with pytest.raises(AuditError) as raised:
        audit([tmp_path], python=PYTHON, engine=Engine.BOTH)
    (line,) = str(raised.value).splitlines()
    assert engine.NAME in line
    assert all(f"{name} {version}" in line for name, version in known.TESTED.items())


def test_without_node_pyright_downloads_none(tmp_path, monkeypatch):
    """Plain pyright would, at its first use and without a word."""
    monkeypatch.setattr(pyright.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "app.py").touch()
    with pytest.raises(AuditError) as raised:
        audit([tmp_path], python=PYTHON, engine=Engine.BOTH)
    (line,) = str(raised.value).splitlines()
    assert "pip install 'pyright[nodejs]'" in line


def test_the_node_of_the_lock_is_enough(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "app.py").write_text("async def main():\n    await len([])\n")
    (found,) = audit([tmp_path], python=PYTHON, engine=Engine.BOTH).findings
    assert set(found.engines) == {"pyrefly", "pyright"}


@pytest.mark.parametrize("kind", ["parse-error", "missing-import", "no-matching-overload"])
def test_a_rule_that_has_another_name_is_no_all_clear(kind, tmp_path, monkeypatch):
    """Of a file that has none of it: what is not heard would be missed in another."""
    (tmp_path / "app.py").write_text("x = 1\n")
    monkeypatch.setitem(known.TESTED, "pyrefly", "0.0.0")
    run = pyrefly._run

    def renamed(*arguments):
        document = run(*arguments)
        for error in document["errors"]:
            error["name"] = error["name"].replace(kind, "renamed")
        return document

    monkeypatch.setattr(pyrefly, "_run", renamed)
    with pytest.raises(AuditError, match="cannot be read"):
        audit([tmp_path], python=PYTHON)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"errors": {}, "generalDiagnostics": 3},
        {"errors": [[]], "generalDiagnostics": [{"file": "\0", "message": ""}]},
    ],
    ids=["a list", "no list", "a list of others"],
)
@BOTH
def test_an_answer_of_another_form_is_one_line(engine, answer, tmp_path, monkeypatch):
    (tmp_path / "app.py").write_text("x = 1\n")
    monkeypatch.setattr(engine, "_run", lambda *_: answer)
    with pytest.raises(AuditError, match="cannot be read"):
        engine.check([tmp_path / "app.py"], Settings(PYTHON, ()))


def test_a_file_that_nobody_asked_about_is_another_form(tmp_path, monkeypatch):
    (tmp_path / "app.py").write_text("async def main():\n    await len([])\n")
    run = pyrefly._run

    def elsewhere(*arguments):
        document = run(*arguments)
        for error in document["errors"]:
            error["path"] = str(tmp_path / "other.py")
        return document

    monkeypatch.setattr(pyrefly, "_run", elsewhere)
    with pytest.raises(AuditError, match="cannot be read"):
        audit([tmp_path], python=PYTHON)
