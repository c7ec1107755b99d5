"""Which case a command is about: the one that the post-mortem tells, or the one that is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from netra_incident import case as cases
from netra_incident.case import BROKEN, CASES, find_case, load_case, told_case
from netra_incident.cli import cli
from netra_ws.errors import ConfigurationError

MARK = "post_mortem = true"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two copies of the case that ships, one of them marked."""
    original = told_case().folder
    for name in ("another", "told"):
        shutil.copytree(original, tmp_path / name)
    mark(tmp_path / "another", told=False)
    (tmp_path / "no_case").mkdir()
    return tmp_path


def mark(case: Path, *, told: bool) -> None:
    path = case / "incident.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count("post_mortem = ") == 1
    line = next(line for line in text.splitlines() if line.startswith("post_mortem = "))
    path.write_text(text.replace(line, f"post_mortem = {str(told).lower()}"), encoding="utf-8")


def test_exactly_one_case_that_ships_is_the_one_that_is_told() -> None:
    assert told_case().folder.parent == CASES
    assert find_case(told_case().folder.name) == told_case()


def test_the_marked_one_is_told(folder: Path) -> None:
    assert told_case(folder).folder == folder / "told"


@pytest.mark.parametrize(("told", "names"), [((), "none"), (("another", "told"), "another, told")])
def test_none_or_two_are_refused(told: tuple[str, ...], names: str, folder: Path) -> None:
    for name in ("another", "told"):
        mark(folder / name, told=name in told)
    with pytest.raises(ConfigurationError, match=f"^expected one case with `{MARK}` .* {names};"):
        told_case(folder)


@pytest.mark.parametrize("told", [False, True], ids=["none", "two"])
@pytest.mark.parametrize(
    "arguments",
    [("checkout", "fixed", "--into", "new"), ("serve", "--revision", "buggy"), ("drill",)],
)
def test_a_command_that_needs_one_says_so(
    arguments: tuple[str, ...],
    told: bool,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("another", "told"):
        mark(folder / name, told=told)
    monkeypatch.chdir(tmp_path)
    for function in (told_case, find_case):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert "choose with --case" in str(result.exception)
    assert result.exception.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_case_is_named_on_the_command_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_case, "__defaults__", (folder,))
    into = tmp_path / "new"
    command = ["checkout", "buggy", "--into", str(into), "--case"]
    assert CliRunner().invoke(cli, [*command, "another"]).exit_code == 0
    assert (into / "netra_ws").is_dir()
    refused = CliRunner().invoke(cli, [*command, "nope"]).exception
    assert str(refused) == "no case 'nope': expected one of another, told"


def test_where_a_case_lies_is_not_told_in_it(folder: Path) -> None:
    path = folder / "told" / "incident.toml"
    path.write_text(f'folder = "elsewhere"\n{path.read_text(encoding="utf-8")}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"^case told: expected no `folder`"):
        load_case(folder / "told")


def test_the_revisions_are_known_by_name() -> None:
    case = told_case()
    assert case.revision(BROKEN) == case.buggy == cases.Revision(case, "buggy")
    with pytest.raises(ConfigurationError, match=r"^unknown revision 'latest': expected one of"):
        case.revision("latest")
