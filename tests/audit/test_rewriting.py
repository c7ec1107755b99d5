"""Operands asked for their types, and the way back to where they stood."""

import ast
import re

import pytest

from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.engines.written_types import is_one_class, members
from await_audit.finding import Span
from await_audit.judging.operands import operand_of
from await_audit.judging.rewriting import Question, rewrite
from await_audit.source import Text


def questions(source: str) -> tuple[Text, list[Question]]:
    """Ask about every `await` of a source text that `ast` finds."""
    text, found = Text(source), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Await):
            assert node.end_lineno
            assert node.end_col_offset is not None
            span = Span(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            said = Diagnostic(None, span, Symptom.NOT_AWAITABLE, "")
            found.append(Question(span, operand_of(text, said), True, False))
    return text, found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("await f()", "reveal_type( f())"),
        ("x = await(f())", "x = reveal_type((f()))"),
        ("not(await(f()))", "not(reveal_type((f())))"),
        ("await f(await g())", "reveal_type( f(reveal_type( g())))"),
        ("await (await f()).g()", "reveal_type( (reveal_type( f())).g())"),
        ("await \\\n  f()", "reveal_type( \\\n  f())"),
        ("(await  # why\n f())", "(reveal_type(  # why\n f()))"),
        ("await f(), await g()", "reveal_type( f()), reveal_type( g())"),
    ],
)
def test_an_await_is_asked_for_its_operand(before, after):
    text, asked = questions(before)
    assert rewrite(text, asked).text.text == after
    ast.parse(after)


@pytest.mark.parametrize(
    "source", ["a = 1; await f(await g(b), c) + d", "(await  # é\n f(x), y)", "x = (await(f()), z)"]
)
def test_every_place_that_was_copied_leads_back(source):
    text, asked = questions(source)
    new = rewrite(text, asked)
    keywords = {
        match.start() + index for match in re.finditer("await", source) for index in range(5)
    }
    kept = [offset for offset in range(len(source)) if offset not in keywords]
    assert [new.text.text[new.new(offset)] for offset in kept] == [source[at] for at in kept]
    assert [new.old(new.new(offset)) for offset in kept] == kept


def test_other_operands_keep_their_keyword_and_are_asked_for_iteration():
    text = Text("async for x in(rows()): pass")
    operand = Span(1, 14, 1, 22)
    new = rewrite(text, [Question(operand, operand, False, True)])
    assert new.text.text == "async for x in reveal_type((rows())).__aiter__: pass"


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("int", ["int"]),
        ("int | None", ["int", "None"]),
        ("dict[str, int | None] | str", ["dict[str, int | None]", "str"]),
        ("Literal['a|b', 1] | None", ["Literal['a|b']", "Literal[1]", "None"]),
        ("(x: int | str) -> int | None", ["(x: int | str) -> int | None"]),
    ],
)
def test_a_union_is_taken_apart_at_its_outer_bars(written, parts):
    assert members(written) == parts


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("Manager", True),
        ("pkg.Manager[int]", True),
        ("None", True),
        ("Literal['x']", True),
        ("Any", False),
        ("object", False),
        ("Coroutine[Any, Any, int]", False),
        ("Task[int]", False),
        ("Generator[int]", False),
        ("_AsyncGeneratorContextManager[int]", False),
        ("type[Manager]", False),
        ("() -> int", False),
        ("@_", False),
    ],
)
def test_only_a_class_is_one(written, one):
    assert is_one_class(written) is one
