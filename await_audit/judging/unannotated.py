"""Awaits of un-annotated functions whose result no type checker knows.

They are searched for by pattern, and what is left of half a million lines is parsed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from await_audit.engines.diagnostic import Symptom
from await_audit.judging.callee import look_up
from await_audit.judging.flags import Flag
from await_audit.judging.plain_values import Function, bind, is_plain
from await_audit.source import Text

NAME = "own"

AWAITED_CALL = re.compile(r"await\b[\s(]*(?:\w+(?:\([^()\n]*\))?\.)*(?P<name>\w+)\(")
DEFINED = re.compile(r"def[ \t]+(?P<name>\w+)\(")
HEADER = re.compile(r"[ \t]*\Z")


@dataclass(slots=True)
class Candidates:
    """The awaited calls whose name is that of an un-annotated function with a plain result.

    `calls` has the offsets of the names, `functions` the lines of the definitions.
    """

    calls: set[tuple[Path, int]] = field(default_factory=set)
    functions: set[tuple[Path, int]] = field(default_factory=set)


def find_candidates(texts: Mapping[Path, str]) -> Candidates:
    """Search all texts for calls that may be awaited in vain and that no type checker judges.

    A call counts if its file also names the class or the module of such a function: to look up
    every call of a `get` would cost more than the type checker itself.
    """
    calls: dict[str, set[tuple[Path, int]]] = defaultdict(set)
    for path, text in texts.items():
        for match in AWAITED_CALL.finditer(text):
            calls[match["name"]].add((path, match.start("name")))
    found = Candidates()
    for path, text in texts.items():
        for match in DEFINED.finditer(text):
            name = match["name"]
            if name not in calls or not _has_plain_result(text, match.start()):
                continue
            found.functions.add((path, text.count("\n", 0, match.start()) + 1))
            words = {path.stem, *_owner(text, match.start())}
            imported = rf"import\s*(?:\([^)]*|[^\n]*)\b{name}\b"
            near = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b|{imported}")
            found.calls |= {
                call for call in calls[name] if call[0] == path or near.search(texts[call[0]])
            }
    return found


def _owner(text: str, offset: int) -> list[str]:
    """Return the name of the class around a definition, if it stands in one."""
    indent = offset - text.rfind("\n", 0, offset) - 1
    for line in reversed(text[:offset].splitlines()[:-1] if indent else []):
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            match = re.match(r"\s*class[ \t]+(\w+)", line)
            return [match[1]] if match else []
    return []


def _has_plain_result(text: str, offset: int) -> bool:
    """Say whether the function that is defined at an offset may give what cannot be awaited."""
    start = text.rfind("\n", 0, offset) + 1
    indent = text[start:offset]
    if not HEADER.match(indent):
        return False  # `async def`, or a word in a comment or a string
    inner = re.compile(
        rf"^(?!{re.escape(indent)}[ \t]|\s*$|\s*#|{re.escape(indent)}[)\]}}])", re.MULTILINE
    )
    end = inner.search(text, text.find("\n", offset) + 1)
    block = text[start : end.start() if end else len(text)]
    if "return" not in block:
        return False
    try:
        node = ast.parse(textwrap.dedent(block)).body[0]
    except (SyntaxError, ValueError, RecursionError, IndexError):
        return False
    return isinstance(node, Function) and is_plain(node)


def infer(
    candidates: Candidates,
    places: Mapping[tuple[Path, int], tuple[Path, int]],
    texts: Mapping[Path, Text],
) -> Iterator[Flag]:
    """Yield the awaits that are wrong; `places` says where each candidate's function is defined."""
    by_file: dict[Path, set[int]] = defaultdict(set)
    for path, offset in candidates.calls:
        if places.get((path, offset)) in candidates.functions:
            by_file[path].add(offset)
    for path, offsets in sorted(by_file.items()):
        text = texts[path]
        try:
            tree = ast.parse(text.text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
                function = node.value.func
                name = getattr(function, "attr", getattr(function, "id", ""))
                offset = text.byte_offset(function.end_lineno, function.end_col_offset) - len(name)
                if offset in offsets and _gives_plain_value(node.value, places[path, offset]):
                    yield _flag(path, text, node)


def _gives_plain_value(call: ast.Call, at: tuple[Path, int]) -> bool:
    found = look_up(*at)
    if found is None or isinstance(found.node, ast.ClassDef) or not found.keeps_colour:
        return False
    is_method = found.owner is not None and "staticmethod" not in found.decorators
    bound = is_method and isinstance(call.func, ast.Attribute)
    arguments = bind(found.node, call, bound)
    return arguments is not None and is_plain(found.node, arguments)


def _flag(path: Path, text: Text, node: ast.Await) -> Flag:
    start = text.byte_offset(node.lineno, node.col_offset)
    inner = text.byte_offset(node.value.lineno, node.value.col_offset)
    end = text.byte_offset(node.end_lineno, node.end_col_offset)
    return Flag(
        path=path,
        span=text.span(start, end),
        operand=text.span(inner, end),
        symptom=Symptom.NOT_AWAITABLE,
        engines=[NAME],
        inferred=True,
    )
