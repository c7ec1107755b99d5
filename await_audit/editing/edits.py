"""Which superfluous `await`s of a file can go without a decision, and the file without them.

An `await` binds tighter than every operator, and what it awaits binds at least as tight. So what
is awaited may stand where the `await` stood, with the parentheses that it has: the keyword and the
blanks behind it are all that is taken out, and no precedence changes. The four exceptions are in
`_obstacle`. An `async def` that loses its last `await` stays one, as does an asynchronous
comprehension that gives a list, a set or a dict: their results are what they were.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from await_audit.editing.awaits import KEYWORD, Awaits, Site, UnparsedError, find_awaits
from await_audit.editing.comparison import same_without_awaits
from await_audit.finding import Finding, Kind, Span
from await_audit.source import Text, UndecodableError, decode

AWAIT_RULE = "await-of-non-awaitable"
"""The one rule whose findings are about the keyword `await` itself."""

OPENING = re.compile(r"(?:[(\s]|\\(?:\r\n|\r|\n)|#[^\r\n]*)*")
"""Opening parentheses with the blanks, the comments and the continued lines between them."""


@dataclass(frozen=True, slots=True)
class Left:
    """A finding that stays as it is; `why` says what a person has to decide."""

    finding: Finding
    why: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch that is taken out, by offsets in the old text, and what stands there instead."""

    start: int
    end: int
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """A file without its mechanical superfluous `await`s; the same bytes where there is none.

    `old` and `new` are its text before and after, and empty where nothing is taken out.
    """

    data: bytes
    removed: tuple[Finding, ...]
    left: tuple[Left, ...]
    old: Text
    new: Text
    cuts: tuple[Cut, ...]

    def moved(self, span: Span) -> Span:
        """Return where a stretch of the old text stands in the new one."""
        if not self.cuts:
            return span
        return self.new.span(*map(self._moved, self.old.offsets(span)))

    def _moved(self, offset: int) -> int:
        by = 0
        for cut in self.cuts:
            if offset < cut.start:
                break
            by += min(offset, cut.end) - cut.start - len(cut.instead) * (offset >= cut.end)
        return offset - by


def edit(
    data: bytes, findings: Sequence[Finding], vetoes: Mapping[Span, str] | None = None
) -> Edited:
    """Take out of a file's bytes the superfluous `await`s that are certain and mechanical.

    `findings` are those of this file; `vetoes` say of the spans of some why they are to stay. Every
    byte stays but the keywords and the blanks behind them. What is not taken out is returned with
    its reason, in the order of the findings.
    """
    vetoes = _where_wanted(findings) | dict(vetoes or {})
    staying = [_undecided(one) or vetoes.get(one.span) for one in findings]
    if all(staying):  # then there is no need to read the file
        return _unedited(data, findings, staying, "")
    try:
        return _edited(data, findings, staying)
    except (UndecodableError, UnparsedError, _RefusedError) as error:
        return _unedited(data, findings, staying, f"the file cannot be edited: {error}")


def _where_wanted(findings: Iterable[Finding]) -> dict[Span, str]:
    """Return where an awaitable is wanted, `gather(await f())`: there no `await` is too many."""
    return {
        one.span: f"without the `await`, {one.message}"
        for one in findings
        if one.kind is Kind.AWAIT_SYNC and one.rule != AWAIT_RULE
    }


def _edited(data: bytes, findings: Sequence[Finding], staying: Sequence[str | None]) -> Edited:
    """Edit a file, and look whether it is still the same program. Raises _RefusedError if not."""
    decoded, encoding = decode(data)
    text = Text(decoded)
    awaits = find_awaits(text)
    sites = [awaits.sites.get(text.offset(one.span.line, one.span.column)) for one in findings]
    alone = [
        why or _obstacle(finding, text, site)
        for finding, site, why in zip(findings, sites, staying, strict=True)
    ]
    reasons = _with_generators(alone, sites, awaits)
    going = _going(sites, reasons)
    cuts = tuple(_cut(text.text, site) for site in sorted(going, key=lambda site: site.keyword))
    new = Text(_without(text.text, cuts))
    result = _encoded(data, text.text, encoding, new.text) if cuts else data
    shown = any(site.shown for site in going)
    if cuts and not same_without_awaits(text.text, new.text, len(cuts), shown=shown):
        raise _RefusedError("without the `await` it would be another program")
    pairs = list(zip(findings, reasons, strict=True))
    return Edited(
        data=result,
        removed=tuple(finding for finding, why in pairs if why is None),
        left=tuple(Left(finding, why) for finding, why in pairs if why is not None),
        old=text,
        new=new,
        cuts=cuts,
    )


def _unedited(
    data: bytes, findings: Sequence[Finding], reasons: Sequence[str | None], why: str
) -> Edited:
    pairs = zip(findings, reasons, strict=True)
    left = tuple(Left(finding, reason or why) for finding, reason in pairs)
    return Edited(data, (), left, Text(""), Text(""), ())


class _RefusedError(Exception):
    """Raised when the last look at an edit finds it wrong; its words say why."""


def _going(sites: Sequence[Site | None], reasons: Sequence[str | None]) -> set[Site]:
    return {site for site, why in zip(sites, reasons, strict=True) if site and why is None}


def _with_generators(
    reasons: Sequence[str | None], sites: Sequence[Site | None], awaits: Awaits
) -> list[str | None]:
    """Add why an `await` stays without which a generator would no longer be asynchronous."""
    going = _going(sites, reasons)
    taken = Counter(site.generator for site in going)
    emptied = {number for number, count in awaits.asynchronous.items() if taken[number] == count}
    turned = {site for site in going if site.generator in emptied}
    return [GENERATOR if site in turned else why for site, why in zip(sites, reasons, strict=True)]


GENERATOR = (
    "the generator expression would no longer be asynchronous, and what takes its values would "
    "have to change with it"
)

MEANT = {
    ("time.pyi", "`sleep` "): "`asyncio.sleep`",
    ("_asyncio.pyi", "`result` "): "the task or future itself",
}
"""Where whoever awaited something else meant its asynchronous counterpart: file and name."""


def _meant_instead(finding: Finding) -> str | None:
    at = finding.definition
    for (file, name), meant in MEANT.items():
        if at is not None and at.path.name == file and at.why.startswith(name):
            return meant
    return None


def _undecided(finding: Finding) -> str | None:
    """Return why a finding does not say that an `await` is to go."""
    meant = _meant_instead(finding)
    if meant is not None:
        return f"{meant} was meant, and without the `await` this does something else"
    if finding.kind is Kind.UNAWAITED:
        return "only you know whether to await it, to hand it on or to drop the call"
    if finding.rule != AWAIT_RULE:
        return _OTHER_RULES.get(finding.rule, "there is no `await` to take out")
    if not finding.certain:
        written = f", its type is `{finding.operand_type}`" if finding.operand_type else ""
        return f"it is not certain that what is awaited cannot be awaitable{written}"
    return None


_OTHER_RULES = {
    "async-with-of-non-async-context-manager": (
        "`with` calls other methods than `async with`, and they may block the event loop"
    ),
    "async-for-of-non-async-iterable": (
        "`for` calls other methods than `async for`, and they may block the event loop"
    ),
    "non-awaitable-argument": (
        "the function takes an awaitable: without one there may be nothing left to wait for, to "
        "time out or to run"
    ),
}


def _obstacle(finding: Finding, text: Text, site: Site | None) -> str | None:
    """Return why an `await` that is to go cannot simply be taken out."""
    if site is None:
        return "there is no `await` at this place: the file is not the one that was judged"
    if finding.operand is not None:
        operand = text.offset(finding.operand.line, finding.operand.column)
        inside = OPENING.match(text.text, site.operand)
        if not site.keyword < operand <= (inside.end() if inside else site.operand):
            return "another expression is awaited at this place than was judged"
    if site.name_alone:
        return "a name alone is awaited: perhaps it was to be called, or holds the wrong thing"
    if site.becomes_docstring:
        return "the string would become a docstring"
    return None


def _cut(text: str, site: Site) -> Cut:
    """Return what to take out: the keyword, and the blanks behind it up to a comment."""
    start, end = site.keyword, site.operand
    behind = start + len(KEYWORD)
    comment = text.find("#", behind, end)
    if comment >= 0:
        # A comment keeps its blanks where code stands before it in the line.
        return Cut(start, comment if text[start - 1 : start].isspace() else behind)
    if site.in_braces and text[start - 1] + text[end] == "{{":
        # Without a blank the two braces would be one brace of the f-string's text.
        return Cut(start, behind, "" if behind < end else " ")
    return Cut(start, end)


def _without(text: str, cuts: Iterable[Cut]) -> str:
    pieces: list[str] = []
    last = 0
    for cut in cuts:
        pieces += [text[last : cut.start], cut.instead]
        last = cut.end
    return "".join((*pieces, text[last:]))


def _encoded(data: bytes, old: str, encoding: str, new: str) -> bytes:
    """Write the new text as the old one was written. Raises _RefusedError."""
    try:
        if old.encode(encoding) != data:
            raise _RefusedError(f"the codec {encoding} does not write its text in the same bytes")
        return new.encode(encoding)
    except UnicodeError as error:
        raise _RefusedError(f"the codec {encoding} cannot write what it has read") from error
