"""Pyrefly, run as a program with settings of our own.

The names of its error kinds and settings are those of pyrefly 1.4
(https://pyrefly.org/en/docs/error-kinds/). The preset `default` finds in un-annotated code what
pyrefly without a configuration does not look at; it is written out here, so that a later version
cannot switch it off.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from await_audit.engines import Settings, program
from await_audit.engines.diagnostic import AWAITING_FUNCTIONS, COROUTINE, LATER, Diagnostic, Symptom
from await_audit.engines.known import readable
from await_audit.engines.mirror import NO_COPY, Mirror, mirrored
from await_audit.engines.written_types import members
from await_audit.finding import Span

NAME = "pyrefly"

OVERLOADED = "no-matching-overload"
KINDS = (
    "not-async",
    "unused-coroutine",
    "bad-context-manager",
    "not-iterable",
    "bad-argument-type",
    OVERLOADED,
    "bad-specialization",
    "bad-assignment",
    "bad-index",
    "bad-raise",
    "bad-return",
    "implicit-bool",
    "invalid-argument",
    "missing-attribute",
    "unsupported-operation",
    "missing-import",
    "missing-module-attribute",
    "parse-error",
    "invalid-syntax",
)
"""The kinds of errors that can mean a wrong colour; the messages tell which of them do."""

TIMEOUT_S = 1800.0


def version() -> str:
    """Return the version of pyrefly. Raises AuditError if it is not installed."""
    return program.version(NAME, "pip install pyrefly")


def check(
    files: Sequence[Path], settings: Settings, texts: Mapping[Path, str] | None = None
) -> list[Diagnostic]:
    """Run pyrefly once over `files`, and return what it says of them.

    `texts` replaces the text of files, in what imports them too. All paths are absolute. Raises
    AuditError if pyrefly is missing or fails.
    """
    if not files:
        return []
    with mirrored(texts or {}, settings.search_path) as mirror:
        with readable(NAME, version()):
            document = _run([mirror.inside(path) for path in files], settings, mirror)
            if not isinstance(document["errors"], list):
                raise TypeError(document["errors"])
            found = [_diagnostic(error, mirror) for error in document["errors"]]
            said = [diagnostic for diagnostic in found if diagnostic is not None]
            if strange := {one.path for one in said} - set(files):
                raise LookupError(strange)
        return said


def _run(files: Sequence[Path], settings: Settings, mirror: Mirror) -> dict[str, Any]:
    installed = version()
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        temporary = os.path.realpath(folder)
        configuration = write_configuration(Path(temporary), settings, files, mirror)
        output = Path(temporary) / "errors.json"
        arguments: list[str] = [
            *("check", "--config", str(configuration)),
            *("--output", f"json:{output}"),
            *("--min-severity", "info"),
            *("--progress-bar", "no"),
            *("--color", "never"),
        ]
        done = program.run(NAME, arguments, temporary, environment(), TIMEOUT_S)
        if done.returncode not in {0, 1} or not output.exists():
            raise program.gave_up(NAME, installed, done)
        document: dict[str, Any] = json.loads(output.read_bytes())
        for error in document["errors"]:  # its paths are relative to where it ran
            error["path"] = os.path.normpath(Path(temporary, error["path"]))
        return document


def environment() -> dict[str, str]:
    """Return this environment without what would change pyrefly's settings.

    PYTHONPATH is among the settings. Left in the environment, it also keeps pyrefly from looking
    for the neighbours of the files below it.
    """
    drop = ("PYREFLY_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(drop)}


def write_configuration(
    folder: Path, settings: Settings, files: Sequence[Path] = (), mirror: Mirror = NO_COPY
) -> Path:
    """Write pyrefly's configuration into `folder` and return its path.

    `files` are the paths to check, as they stand in the mirror.
    """
    includes = [_escaped(path) for path in files]
    search = [str(mirror.inside(path)) for path in settings.search_path]
    lines = [
        'preset = "off"',
        f"project-includes = {_toml(includes)}",
        "project-excludes = []",
        "disable-project-excludes-heuristics = true",
        "use-ignore-files = false",
        f"search-path = {_toml(search)}",
        # Imports that are not found so are looked for in the folders above the importing file, as
        # they are for a script and for a test.
        "enable-fallback-search-path = true",
        f"python-interpreter-path = {_toml(str(settings.python))}",
        "enabled-ignores = []",
        "check-unannotated-defs = true",
        'infer-return-types = "checked"',
        "[errors]",
        *(f'{kind} = "error"' for kind in KINDS),
        'reveal-type = "info"',
    ]
    path = folder / "pyrefly.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: str | list[str]) -> str:
    """Write strings as TOML: as in JSON, but for surrogate pairs and the control character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _escaped(path: Path) -> str:
    """Write a path as a pattern that fits it alone."""
    return re.sub(r"[\[*?]", lambda match: f"[{match[0]}]", str(path))


def _diagnostic(error: dict[str, Any], mirror: Mirror) -> Diagnostic | None:
    first, last = error["column"] - 1, error["stop_column"] - 1
    span = Span(error["line"], max(first, 0), error["stop_line"], max(last, 0))
    path, message = mirror.outside(Path(error["path"])), error["concise_description"]
    words = error["description"] if error["name"] == "bad-context-manager" else message
    meaning = _judged(error["name"], words)
    if meaning is None:
        return None
    symptom, types, subject = meaning
    listed = symptom is Symptom.NOT_COROUTINE_ARGUMENT and error["name"] == OVERLOADED
    return Diagnostic(path, span, symptom, message, types, subject, listed)


TYPE = r"`(?P<type>.*?)`"
ARGUMENT = re.compile(
    rf"Argument {TYPE} is not assignable to parameter `.*?`(?: with type `(?P<wanted>.*)`)?"
    r" in function `(?P<function>[\w.]+)`",
    re.DOTALL,
)
OVERLOAD = re.compile(
    r"No matching overload found for function `(?P<function>[\w.]+)` called with arguments: "
    r"\((?P<types>.*)\)",
    re.DOTALL,
)
NATIVE = re.compile(r"no attribute `(cr_\w+|__\w+__)`")
UNSUPPORTED = re.compile(r"(between|and|on) `Coroutine\[")
IMPORT = re.compile(r"`([^`]+)`")


Meaning = tuple[Symptom, tuple[str, ...], str | None]
"""A symptom, the types that are named as wrong, and what the message is about."""


def _judged(kind: str, words: str) -> Meaning | None:
    """Return what a message means for the colour of a call, or None if it means nothing."""
    return _by_kind(kind, words) or _by_coroutine(kind, words)


def _types(words: str) -> tuple[str, ...]:
    named = re.search(TYPE, words, re.DOTALL)
    return (named["type"],) if named else ()


def _by_kind(kind: str, words: str) -> Meaning | None:
    """Return what a message means whatever its types are."""
    match kind:
        case "not-async":
            return Symptom.NOT_AWAITABLE, _types(words), None
        case "unused-coroutine":
            return Symptom.DROPPED, (), None
        case "reveal-type":
            return Symptom.REVEALED, (words.partition("revealed type: ")[2],), None
        case "missing-import" | "missing-module-attribute":
            module = IMPORT.search(words)
            return Symptom.UNRESOLVED_IMPORT, (), module[1] if module else None
        case "parse-error" | "invalid-syntax":
            return Symptom.SYNTAX_ERROR, (), None
        case "missing-attribute" if words.endswith("has no attribute `__aiter__`"):
            return Symptom.MISSING_PROTOCOL, (), None
        case "unsupported-operation" | "not-iterable" if UNSUPPORTED.search(words):
            return Symptom.MISUSED, (), None
        case "bad-context-manager" if "no attribute `__a" in words:
            return Symptom.NOT_ASYNC_CONTEXT, _types(words), None
        case "not-iterable" if "async iterable" in words:
            return Symptom.NOT_ASYNC_ITERABLE, _types(words), None
        case _:
            return None


def _by_coroutine(kind: str, words: str) -> Meaning | None:
    """Return what a message means if it is about a coroutine that is used as a value."""
    types = _types(words)
    parts = [part for written in types for part in members(written)]
    # Of a union with `Any` in it nobody knows where the coroutine came from.
    coroutine = any(map(COROUTINE.match, parts)) and not {"Any", "Unknown"} & set(parts)
    match kind:
        case "implicit-bool" if len(parts) > 1:
            return None  # whether there is a coroutine is what is asked here
        case "missing-attribute" if NATIVE.search(words):
            return None  # what is declared as any coroutine is that of an `async def`
        case "bad-argument-type" | "no-matching-overload" | "bad-specialization":
            return _argument(words, types, coroutine)
        case "bad-assignment" | "bad-return" if coroutine and LATER.search(
            words.rpartition(" to ")[2]
        ):
            return None
        case _ if coroutine or "got Coroutine[" in words:
            return Symptom.MISUSED, types, None
        case _:
            return None


def _argument(words: str, types: tuple[str, ...], coroutine: bool) -> Meaning | None:
    if match := ARGUMENT.match(words):
        if function := _awaiting(match["function"]):
            return _not_a_coroutine(types, coroutine, function)
        if coroutine and not LATER.search(match["wanted"] or ""):
            return Symptom.MISUSED, types, match["function"]
    elif "type variable `_FT`" in words:  # that of asyncio.wait alone
        return _not_a_coroutine(types, coroutine, "asyncio.wait")
    elif (match := OVERLOAD.match(words)) and (function := _awaiting(match["function"])):
        return Symptom.NOT_COROUTINE_ARGUMENT, (match["types"],), function
    return None


def _awaiting(name: str) -> str | None:
    """Return the short name of a function of asyncio that awaits its argument."""
    parts = name.split(".")
    awaits = parts[0] == "asyncio" and parts[-1] in AWAITING_FUNCTIONS
    return f"asyncio.{parts[-1]}" if awaits else None


def _not_a_coroutine(types: tuple[str, ...], coroutine: bool, function: str) -> Meaning | None:
    if coroutine or LATER.match(types[0]):
        return None
    return Symptom.NOT_COROUTINE_ARGUMENT, types, function
