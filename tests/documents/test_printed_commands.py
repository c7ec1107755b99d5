"""Every command that is printed for people can be given: its program, options and files exist.

The blocks of docs/plan.md and runbook.md are not read here: they are run by tests/acceptance.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmarks.audit.__main__ import main as audit_benchmark
from docs.rooms import packages
from netra_incident.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")}
    - {ROOT / "docs" / "plan.md"}
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

BLOCK = re.compile(r"^```(?:bash|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/)?(?:netra-ws|make|python3?|pip|git|pytest) [^`\n]+)`")
STEP = re.compile(r"^ +- run: (.+)$", re.MULTILINE)
HELP = re.compile(r"^    (netra-ws .+)$", re.MULTILINE)

OF_THE_SYSTEM = {"cd", "curl", "export", "git"}
PUBLISHED = {"autobahntestsuite"}
"""What the documents install that is a package of others."""


def written(text: str) -> Iterator[str]:
    """Yield the lines of commands in a document: of its blocks, steps of CI, help and words."""
    text = text.replace("\\\n", " ")
    for block in BLOCK.findall(text):
        lines = block.splitlines()
        console = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        yield from console or lines
    for pattern in (STEP, HELP, INLINE):
        yield from pattern.findall(text)


def commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line, without variables that it sets for itself."""
    line = re.sub(r"\$\(.*\)|<[^>]*>", "X", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    is_file = False
    for word in [*lexer, ";"]:
        if is_file:
            is_file = False
        elif set(word) <= set("();<>|&"):
            while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
                del words[0]
            if words and words[0] != "echo":
                yield words
            words, is_file = [], ">" in word
        else:
            words.append(word)


def fault(words: list[str]) -> str | None:
    """Return what is wrong with a command, or `None`."""
    program, *arguments = [Path(words[0]).name, *words[1:]]
    match program, arguments:
        case "netra-ws", ["--help"]:
            return None
        case "netra-ws", [name, *rest]:
            known = name in COMMANDS
            return parsed(COMMANDS[name].load(), rest) if known else f"no command {name}"
        case "make", targets:
            return next((f"the Makefile has no {one}" for one in targets if not made(one)), None)
        case "pip", arguments:
            return installed(arguments)
        case "python" | "python3", arguments:
            return interpreted(arguments)
    return None if program in OF_THE_SYSTEM else f"no test knows {program}"


def made(word: str) -> bool:
    """Say whether the Makefile has a target, or a variable as in ``NAME=value``."""
    name, is_variable, _ = word.partition("=")
    pattern = rf"^{name} \?=" if is_variable else rf"^{name}:"
    return re.search(pattern, MAKEFILE, re.MULTILINE) is not None


def interpreted(arguments: list[str]) -> str | None:
    """Return what is wrong with the arguments of Python, or `None`."""
    match arguments:
        case ["-m", "pip", *rest]:
            return installed(rest)
        case ["-m", "pytest", *rest]:
            absent = [word for word in rest if "/" in word and not (ROOT / word).exists()]
            return f"no such file: {absent[0]}" if absent else None
        case ["-m", "benchmarks.audit", *rest]:
            return parsed(audit_benchmark, rest)
        case ["-m", "venv", _] | ["-c", _] | ["client.py", *_]:
            return None
    return f"no test knows python {' '.join(arguments)}"


def parsed(command: click.Command, arguments: list[str]) -> str | None:
    """Return what click has against the arguments: an option, a choice, or one too many."""
    context = click.Context(command)
    try:
        values, left, _ = command.make_parser(context).parse_args(list(arguments))
        for option in command.params:
            value = values.get(option.name or "")
            if isinstance(option.type, click.Choice) and isinstance(value, str):
                option.type.convert(value, option, context)
    except click.UsageError as error:
        return error.format_message()
    return f"too much: {left}" if left else None


def installed(arguments: list[str]) -> str | None:
    """Return what is wrong with what pip is to install: nothing of this project is in an index."""
    if not arguments or arguments[0] != "install":
        return f"expected install, got {arguments}"
    rest = iter(arguments[1:])
    for word in rest:
        if word in {"-r", "--requirement"}:
            word = next(rest)
            if not (ROOT / word).is_file():
                return f"no such file: {word}"
        elif word.startswith("."):
            extra = word.strip(".[]")
            if extra and extra not in EXTRAS:
                return f"no extra {extra}"
        elif not word.startswith("--") and word not in {"$NETRA_WS", *PUBLISHED}:
            return f"{word}: no package of others that the documents name"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_can_be_given(document: Path) -> None:
    lines = list(written(document.read_text(encoding="utf-8")))
    faults = [
        f"{line}: {why}"
        for line in lines
        for words in commands(line)
        if (why := fault(words)) is not None
    ]
    assert faults == []


def test_the_commands_are_found() -> None:
    found = {path.name: len(list(written(path.read_text("utf-8")))) for path in DOCUMENTS}
    assert found["README.md"] >= 7
    assert sum(found.values()) > 80


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "make PYTHN=python3.14 test",
        "netra-ws server",
        "netra-ws serve --prt 1",
        "netra-ws checkout broken --into FOLDER",
        "netra-ws verify TREE",
        "pip install netra_ws",
        "pip install 'netra_ws[serve]'",
        "pip install '.[server]'",
        "python -m pip install -r requirements/nothing.txt",
        "python -m pytest tests/unit/test_nothing.py",
        "cd x && nothing --at-all",
    ],
)
def test_what_cannot_be_given_is_seen(line: str) -> None:
    assert [fault(words) for words in commands(line)][-1] is not None


FROM_AN_INDEX = re.compile(r"pip install (?:-[\w-]+ )*['\"]?netra[-_]ws\b")
"""What asks an index for this project, which is in none."""


def test_nothing_asks_an_index_for_this_project() -> None:
    suffixes = {".py", ".md", ".ipynb", ".toml", ".yaml", ".html"}
    folders = (*packages(), "benchmarks", "docs", "notebooks", "requirements")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in [*paths, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob(".*.yaml")]:
        if path.suffix in suffixes and ".ipynb_checkpoints" not in path.parts:
            assert not FROM_AN_INDEX.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "line", ["pip install netra_ws", "pip install 'netra_ws[serve]'", "pip install -U netra-ws"]
)
def test_what_asks_an_index_is_seen(line: str) -> None:
    assert FROM_AN_INDEX.search(line)
