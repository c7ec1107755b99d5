"""Whether what an installed type checker says can be read; a clean answer is else no all-clear."""

import sys
from pathlib import Path

import pytest

from await_audit.audit import audit
from await_audit.engines import Engine, known, pyrefly, pyright
from await_audit.errors import PreventionError

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
    with pytest.raises(PreventionError) as raised:
        audit([tmp_path], python=PYTHON, engine=Engine.BOTH)
    (line,) = str(raised.value).splitlines()
    assert engine.NAME in line
    assert all(f"{name} {version}" in line for name, version in known.TESTED.items())


def test_without_node_pyright_downloads_none(tmp_path, monkeypatch):
    """Plain pyright would, at its first use and without a word."""
    monkeypatch.setattr(pyright.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "app.py").touch()
    with pytest.raises(PreventionError) as raised:
        audit([tmp_path], python=PYTHON, engine=Engine.BOTH)
    (line,) = str(raised.value).splitlines()
    assert "pip install 'pyright[nodejs]'" in line


def test_the_node_of_the_lock_is_enough(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "app.py").write_text("async def main():\n    await len([])\n")
    (found,) = audit([tmp_path], python=PYTHON, engine=Engine.BOTH).findings
    assert set(found.engines) == {"pyrefly", "pyright"}
