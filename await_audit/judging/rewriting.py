"""A source text in which operands are asked for their type, and the way between its places and the
original's.

`await (X)` becomes `reveal_type((X))`: the keyword goes, because what a superfluous `await` gives
has an unknown type and hides every other that follows from it. Other operands keep the words before
them. No line is added or taken away.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from await_audit.finding import Span
from await_audit.source import Text

KEYWORD, PROBE, AITER = "await", "reveal_type(", ".__aiter__"
BEFORE_OPERAND = re.compile(r"(?:[\s(]|\\(?:\r\n|\r|\n)|#[^\r\n]*)*")


@dataclass(frozen=True, slots=True)
class Question:
    """An operand to ask for; `awaited` says that `span` begins with the keyword `await`.

    An `iterated` one is asked for its `__aiter__` as well.
    """

    span: Span
    operand: Span
    awaited: bool
    iterated: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The new text, where the bracket of each question opens in it, and what was copied.

    `copied` has the offset in the new text, that in the old one, and the length of each piece.
    """

    text: Text
    opened: list[tuple[int, Question]]
    copied: list[tuple[int, int, int]]

    def old(self, offset: int) -> int | None:
        """Return the old offset of a new one, None inside of what was put in."""
        index = bisect_right(self.copied, offset, key=itemgetter(0)) - 1
        # The end of a piece is a place in it too: what begins behind it may be new.
        for new, old, length in reversed(self.copied[max(index - 1, 0) : index + 1]):
            if new <= offset <= new + length:
                return old + offset - new
        return None

    def new(self, offset: int) -> int:
        """Return the new offset of an old one that was copied."""
        for new, old, length in self.copied:
            if old <= offset < old + length:
                return new + offset - old
        return len(self.text.text)

    def span(self, original: Text, new: Span) -> Span | None:
        """Return the span in the original that a new one is the copy of, None if there is none."""
        start, end = map(self.old, self.text.offsets(new))
        return None if start is None or end is None else original.span(start, end)

    def question_at(self, offset: int) -> Question | None:
        """Return the question whose operand begins at an offset of the new text.

        One type checker underlines the brackets as well, another leaves out all that are there.
        """
        index = bisect_right(self.opened, offset, key=itemgetter(0)) - 1
        if index < 0 or not BEFORE_OPERAND.fullmatch(self.text.text, self.opened[index][0], offset):
            return None
        return self.opened[index][1]


def rewrite(text: Text, questions: Iterable[Question]) -> Rewritten:
    """Put `reveal_type(…)` around the operands."""
    edits: list[tuple[int, int, int, int, str, Question | None]] = []
    for question in set(questions):
        span, operand = question.span, question.operand
        begin = text.offset(span.line, span.column)
        start, end = text.offsets(operand)
        if question.awaited:
            opening = (begin, 1, -end, begin + len(KEYWORD), PROBE, question)
        else:
            # The blank keeps it apart from a keyword that the operand stands close to.
            opening = (start, 1, -end, start, f" {PROBE}", question)
        # At one offset what ends goes before what begins, and the longer begins first; of two that
        # are as long, `await f()` as an argument and as an `await`, the one that keeps the keyword.
        edits += [opening, (end, 0, -start, end, f"){AITER * question.iterated}", None)]
    pieces: list[str] = []
    opened: list[tuple[int, Question]] = []
    copied: list[tuple[int, int, int]] = []
    last = length = 0
    for offset, _, _, after, inserted, question_opened in sorted(edits, key=itemgetter(0, 1, 2, 3)):
        copied.append((length, last, offset - last))
        pieces += [text.text[last:offset], inserted]
        last, length = after, length + offset - last + len(inserted)
        if question_opened is not None:
            opened.append((length - 1, question_opened))
    copied.append((length, last, len(text.text) - last))
    pieces.append(text.text[last:])
    return Rewritten(Text("".join(pieces)), opened, copied)
