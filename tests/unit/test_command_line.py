"""The command line imports a command when it is used, and the package a name."""

from __future__ import annotations

import errno
import os
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import netra_ws
from netra_incident.cli import COMMANDS, cli
from netra_incident.cli.lazy import Lazy, LazyGroup
from netra_ws.errors import ConfigurationError


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_each_command_says_of_itself(name: str) -> None:
    command = COMMANDS[name].load()
    assert command.name == name
    assert command.short_help == COMMANDS[name].short_help


def test_the_public_names_are_the_ones_of_their_modules() -> None:
    from netra_ws import manager, settings

    assert netra_ws.WebSocketManager is manager.WebSocketManager
    assert netra_ws.Settings is settings.Settings
    assert set(netra_ws.__all__) <= set(dir(netra_ws))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'netra_ws' has no attribute 'nope'"):
        netra_ws.nope  # noqa: B018 - reading it is what is tried
    assert not hasattr(netra_ws, "path")


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli, ["nope"])
    assert result.exit_code == 2
    assert "nope" in result.output


@click.command("here")
def here() -> None:
    import_module("no_such_package")


@click.command("broken")
def broken() -> None:
    import_module("netra_ws.no_such_module")


GROUP = LazyGroup(
    "group",
    lazy={
        "absent": Lazy("no_such_package.module:command", "", "serve"),
        "here": Lazy(f"{__name__}:here", "", "test"),
        "broken": Lazy(f"{__name__}:broken", "", "serve"),
        "base": Lazy(f"{__name__}:here", ""),
    },
)


@pytest.mark.parametrize(("name", "extra"), [("absent", "serve"), ("here", "test")])
def test_a_missing_package_is_named_with_its_extra(name: str, extra: str) -> None:
    words = (
        rf"^no_such_package is not installed; in a clone of netra_ws: pip install '\.\[{extra}\]'$"
    )
    with pytest.raises(ConfigurationError, match=words):
        GROUP.main([name], standalone_mode=False)


@pytest.mark.parametrize("name", ["broken", "base"])
def test_what_no_extra_brings_is_not_explained_away(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        GROUP.main([name], standalone_mode=False)


def test_the_extras_of_the_commands_exist() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = {lazy.extra for lazy in COMMANDS.values()} - {None}
    assert extras <= set(project["optional-dependencies"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", ""],
        ["fix", "--write", ""],
        ["checkout", "buggy", "--into", ""],
        ["drill", "--project", ""],
        ["hash-password", "--password", ""],
        ["notebooks", ""],
        ["probe", "--logins", ""],
        ["serve", "--agent", ""],
        ["serve", "--settings", ""],
        ["serve", "--tree", ""],
        ["serve", "--users", ""],
        ["verify", "--junitxml", ""],
        ["verify", "--tree", ""],
        ["walkthrough", "--build", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_no_name(arguments: list[str]) -> None:
    """As that of a variable that is not set, which would be the current folder."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "got an empty" in result.output


def test_a_report_that_has_no_place_runs_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    build = ["--build", str(tmp_path / "file" / "build")]
    refused = CliRunner().invoke(cli, ["walkthrough", *build]).exception
    assert str(refused).endswith(f"cannot be written: {os.strerror(errno.ENOTDIR)}")


def test_a_case_without_a_revision_is_refused() -> None:
    refused = CliRunner().invoke(cli, ["serve", "--case", "nope"]).exception
    assert "--case" in str(refused)
