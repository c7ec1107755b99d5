"""Each `await` of a source text: where it stands, and what it decides about its surroundings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from await_audit.source import Text

KEYWORD = "await"
LONE_CARRIAGE_RETURN = re.compile(r"\r(?!\n)")
FORM_FEED = re.compile(r"^[ \t\f]*\f", re.MULTILINE)
"""A form feed before the code of a line: for Python the line begins behind it."""

STRINGS = (cst.SimpleString, cst.ConcatenatedString)
BRACKETS = re.compile(r"[(\[{]|[)\]}]")
DEEPEST = 500
"""Brackets in brackets, those in strings counted too. Python itself takes 200 and LibCST 1,000;
with 3,000 LibCST ends the process."""

INTERPOLATIONS = (cst.FormattedStringExpression, cst.TemplatedStringExpression)


class UnparsedError(Exception):
    """Raised when LibCST cannot read a text, or not without a loss; its words say why."""


@dataclass(frozen=True, slots=True)
class Site:
    """One `await`, by the offsets of its keyword and of what it awaits, parentheses included.

    `generator` numbers the generator expression that this `await` makes asynchronous, if there is
    one. `in_braces` says that it stands in the braces of an f-string or of a template, `shown` that
    this one holds the text of the expression as well: `f"{…=}"`, and every template.
    """

    keyword: int
    operand: int
    name_alone: bool
    becomes_docstring: bool
    in_braces: bool
    shown: bool
    generator: int | None


@dataclass(frozen=True, slots=True)
class Awaits:
    """The sites of a text by the offsets of their keywords.

    `asynchronous` says of each generator expression how many `await` and `async for` make it so.
    """

    sites: dict[int, Site]
    asynchronous: dict[int, int]


def find_awaits(text: Text) -> Awaits:
    """Find every `await` of a text. Raises UnparsedError."""
    depth = 0
    for bracket in BRACKETS.finditer(text.text):
        depth = depth + 1 if bracket[0] in "([{" else max(depth - 1, 0)
        if depth > DEEPEST:
            raise UnparsedError(f"it has more than {DEEPEST} brackets in each other")
    # LibCST loses a carriage return that stands alone, and a form feed before the code of a line.
    source = LONE_CARRIAGE_RETURN.sub("\n", text.text)
    shifts = {text.place(match.start())[0]: len(match[0]) for match in FORM_FEED.finditer(source)}
    source = FORM_FEED.sub("", source)
    try:
        module = cst.parse_module(source)
        if module.code != source:
            raise UnparsedError("LibCST does not give back what it read")
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        visitor = _Visitor(text, shifts)
        wrapper.visit(visitor)
    except cst.ParserSyntaxError as error:
        raise UnparsedError(f"LibCST cannot read line {error.raw_line}") from error
    except cst.CSTValidationError as error:
        # It refuses some spacing that Python allows, such as `(a)else b`.
        raise UnparsedError(f"LibCST cannot read it: {error}") from error
    except RecursionError as error:
        raise UnparsedError("it is nested too deep to be read") from error
    return Awaits(visitor.sites, dict(visitor.asynchronous))


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, text: Text, shifts: Mapping[int, int]) -> None:
        super().__init__()
        self.sites: dict[int, Site] = {}
        self.asynchronous: dict[int, int] = defaultdict(int)
        self._text = text
        self._shifts = shifts
        self._above: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Await):
            self._add(node)
        elif isinstance(node, cst.CompFor) and node.asynchronous:
            self._owner(node)
        self._above.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:  # noqa: ARG002 - named by LibCST
        self._above.pop()

    def _add(self, node: cst.Await) -> None:
        keyword = self._start(node)
        interpolations = [one for one in self._above if isinstance(one, INTERPOLATIONS)]
        self.sites[keyword] = Site(
            keyword=keyword,
            operand=self._start((*node.expression.lpar, node.expression)[0]),
            name_alone=isinstance(node.expression, cst.Name),
            becomes_docstring=isinstance(node.expression, STRINGS) and self._opens_a_body(),
            in_braces=bool(interpolations),
            shown=any(
                isinstance(one, cst.TemplatedStringExpression) or one.equal is not None
                for one in interpolations
            ),
            generator=self._owner(node),
        )

    def _start(self, node: cst.CSTNode) -> int:
        """Return the offset of a node, without the parentheses around it."""
        start = self.get_metadata(PositionProvider, node).start
        return self._text.offset(start.line, start.column + self._shifts.get(start.line, 0))

    def _opens_a_body(self) -> bool:
        """Say whether what is visited is the first statement of a body, as a whole."""
        statement, line, body = self._above[-1], self._above[-2], self._above[-3]
        if not isinstance(statement, cst.Expr):
            return False
        if isinstance(line, cst.SimpleStatementSuite):
            return line.body[0] is statement
        first = isinstance(line, cst.SimpleStatementLine) and line.body[0] is statement
        return first and isinstance(body, cst.IndentedBlock | cst.Module) and body.body[0] is line

    def _owner(self, node: cst.CSTNode) -> int | None:
        """Count an `await` or an `async for` for the generator expression that it belongs to."""
        owner = _generator_of(node, self._above)
        if owner is None:
            return None
        number = id(owner)
        self.asynchronous[number] += 1
        return number


def _generator_of(node: cst.CSTNode, above: Sequence[cst.CSTNode]) -> cst.GeneratorExp | None:
    """Return the generator expression that `node` makes asynchronous; `above` are its ancestors.

    The first iterable of a comprehension belongs to what surrounds it. A list, a set or a dict
    comprehension that awaits makes what surrounds it asynchronous as well.
    """
    below, in_first_iterable = node, False
    for parent in reversed(above):
        if isinstance(parent, cst.CompFor):
            in_first_iterable = below is parent.iter
        elif isinstance(parent, cst.GeneratorExp) and not in_first_iterable:
            return parent
        else:
            in_first_iterable = False
        below = parent
    return None
