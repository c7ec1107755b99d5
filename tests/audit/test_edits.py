"""Which superfluous awaits are mechanical, and that a file keeps every other byte."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from await_audit.editing.awaits import find_awaits
from await_audit.editing.comparison import same_without_awaits
from await_audit.editing.edits import AWAIT_RULE, Edited, edit
from await_audit.finding import Finding, Kind, Span
from await_audit.source import Text, decode

FILE = Path("module.py")


def finding(span: Span, *, rule: str = AWAIT_RULE, certain: bool = True) -> Finding:
    kind = Kind.AWAIT_SYNC
    return Finding(FILE, span, kind, rule, "`M` is not awaitable", ("pyrefly",), certain)


def all_awaits(data: bytes) -> list[Finding]:
    text = Text(decode(data)[0])
    sites = find_awaits(text).sites.values()
    return [finding(text.span(site.keyword, site.operand + 1)) for site in sites]


def edit_all(data: bytes) -> Edited:
    """Edit as if every await were wrong."""
    return edit(data, all_awaits(data))


def inside(body: str) -> bytes:
    return f"async def f():\n    {body}\n".encode()


# What is mechanical


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        ("x = await g()", "x = g()"),
        ("return await g(1)", "return g(1)"),
        ("await g()", "g()"),
        ("await  \t g()", "g()"),
        ("await\fg()", "g()"),
        ("await\\\n    g()", "g()"),
        ("await \\\n  \\\n    g()", "g()"),
        ("return await\\\n    g()", "return g()"),
        ("await(g())", "(g())"),
        ("x = (await g())", "x = (g())"),
        ("x = await (g())", "x = (g())"),
        ("x = await g() ** 2", "x = g() ** 2"),
        ("x = (await g()) ** 2", "x = (g()) ** 2"),
        ("x = -await g()", "x = -g()"),
        ("x = 2 ** -await g()", "x = 2 ** -g()"),
        ("x = not await g()", "x = not g()"),
        ("x = await (a or b)", "x = (a or b)"),
        ("x = await (a if b else c)", "x = (a if b else c)"),
        ("x = await (y := g())", "x = (y := g())"),
        ("x = await (lambda: 1)()", "x = (lambda: 1)()"),
        ("x = await (yield x)", "x = (yield x)"),
        ("await (yield)", "(yield)"),
        ("x = await (*a, b)", "x = (*a, b)"),
        ("x = await g().h[0].i", "x = g().h[0].i"),
        ("x = (await g()).h", "x = (g()).h"),
        ("(await g()).h = 1", "(g()).h = 1"),
        ("(await g())[await h()] += await i()", "(g())[h()] += i()"),
        ("await (await g()).h()", "(g()).h()"),
        ("x = await g(await h(), k=await i())", "x = g(h(), k=i())"),
        ("x = await g(); y = await h()", "x = g(); y = h()"),
        ("x = 1 if await(g()) else await[2]", "x = 1 if (g()) else [2]"),
        ("print(*await g(), **await h())", "print(*g(), **h())"),
        ("x = {await g(): await h()}", "x = {g(): h()}"),
        ("x = {await {1: 2}[1]}", "x = {{1: 2}[1]}"),
        ("x = a[await g():await h()]", "x = a[g():h()]"),
        ("yield await g()", "yield g()"),
        ("assert await g(), await h()", "assert g(), h()"),
        ("raise await g() from await h()", "raise g() from h()"),
        ("del (await g()).h", "del (g()).h"),
        ("await print (1)", "print (1)"),
        ("await match(x)", "match(x)"),
        ("await type(x)", "type(x)"),
        ("1; await 'text'", "1; 'text'"),
        ("match await (g()):\n        case 1 if await h(): pass",
         "match (g()):\n        case 1 if h(): pass"),
        ("async with await g() as x: pass", "async with g() as x: pass"),
        ("async for x in await g(): pass", "async for x in g(): pass"),
        ("for (await g()).h in await i(): pass", "for (g()).h in i(): pass"),
        ("while await g(): pass", "while g(): pass"),
        ("@await g()\n    def h(a=await i()): pass", "@g()\n    def h(a=i()): pass"),
        ("class C(await g()): x: await h() = await i()", "class C(g()): x: h() = i()"),
        ("h = lambda x=await g(): x", "h = lambda x=g(): x"),
        ("try: pass\n    except await g() as e: pass", "try: pass\n    except g() as e: pass"),
        ("x = [await g(y) for y in z]", "x = [g(y) for y in z]"),
        ("x = {await g(y): 1 async for y in z}", "x = {g(y): 1 async for y in z}"),
        ("x = (y for y in await g())", "x = (y for y in g())"),
        ("x = (await g(y) async for y in z)", "x = (g(y) async for y in z)"),
    ],
)  # fmt: skip
def test_the_keyword_and_the_blanks_behind_it_are_taken_out(body: str, mended: str) -> None:
    result = edit_all(inside(body))
    assert result.data == inside(mended)
    assert not result.left
    ast.parse(result.data)


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        ("x = f'{await g()}'", "x = f'{g()}'"),
        ("x = f'é {await g()!r:>{await h()}} 表'", "x = f'é {g()!r:>{h()}} 表'"),
        ("x = f'''a\n{await g()}\n{\nawait h()}'''", "x = f'''a\n{g()}\n{\nh()}'''"),
        ("x = f'{await g()=}'", "x = f'{g()=}'"),
        ("x = f'{await {1: 2}[1]}'", "x = f'{ {1: 2}[1]}'"),
        ("x = f'{await\t{1: 2}[1] + 1}'", "x = f'{\t{1: 2}[1] + 1}'"),
        ("x = f'{await{1: 2}[1]}'", "x = f'{ {1: 2}[1]}'"),
        ("x = f'{ await {1: 2}[1]}'", "x = f'{ {1: 2}[1]}'"),
        # The syntax of Python 3.12, which an older one cannot parse:
        ("x = f'{await g('a')} {f'{await h()}'}'", "x = f'{g('a')} {f'{h()}'}'"),
    ],
)
def test_awaits_in_f_strings_are_taken_out(body: str, mended: str) -> None:
    result = edit_all(inside(body))
    assert result.data == inside(mended)
    assert not result.left


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        ("x = (await  # why\n    g())", "x = (  # why\n    g())"),
        ("x = (\n        await  # why\n        g())", "x = (\n        # why\n        g())"),
        ("x = (\n  await\n  # why\n  g())", "x = (\n  # why\n  g())"),
        ("x = (await\n  # why\n  g())", "x = (\n  # why\n  g())"),
        ("x = (await \\\n  # why\n  g())", "x = ( \\\n  # why\n  g())"),
        ("x = (await (  # why\n    g()))", "x = ((  # why\n    g()))"),
        ("await g()  # await it", "g()  # await it"),
        ("x = (await\n    g())", "x = (g())"),
    ],
)
def test_comments_stay(body: str, mended: str) -> None:
    result = edit_all(inside(body))
    assert result.data == inside(mended)
    ast.parse(result.data)


@pytest.mark.parametrize(
    ("data", "mended"),
    [
        (
            b"\xef\xbb\xbfasync def f():\r\n\tawait g()\r\n",
            b"\xef\xbb\xbfasync def f():\r\n\tg()\r\n",
        ),
        (b"async def f():\r\tawait g()\r\tawait h()", b"async def f():\r\tg()\r\th()"),
        (b"async def f():\n\x0c\n    await g()", b"async def f():\n\x0c\n    g()"),
        (b"async def f():\n    x\n \f    await g()\n", b"async def f():\n    x\n \f    g()\n"),
        (
            "# coding: latin-1\nasync def f(): await g('é')\n".encode("latin-1"),
            "# coding: latin-1\nasync def f(): g('é')\n".encode("latin-1"),
        ),
        (
            "# coding: shift_jis\nasync def f(): '表', await g('表')\n".encode("shift_jis"),
            "# coding: shift_jis\nasync def f(): '表', g('表')\n".encode("shift_jis"),
        ),
        (
            "async def f(): '𐀀', await g('👩‍🔬'), await h()\n".encode(),
            "async def f(): '𐀀', g('👩‍🔬'), h()\n".encode(),
        ),
    ],
)  # fmt: skip
def test_marks_line_ends_and_encodings_stay(data: bytes, mended: bytes) -> None:
    assert edit_all(data).data == mended


# What is not


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("x = (await g(y) for y in z)", "no longer be asynchronous"),
        ("x = (y for y in z if await g())", "no longer be asynchronous"),
        ("x = (y for a in b for y in await g())", "no longer be asynchronous"),
        ("x = ([await g() for a in b] for y in z)", "no longer be asynchronous"),
        ("x = (lambda a=await g(): a for y in z)", "no longer be asynchronous"),
        ("x = ((y for a in await g()) for y in z)", "no longer be asynchronous"),
        ("await x", "a name alone"),
        ("await (x)", "a name alone"),
        ("await 'text'", "docstring"),
        ("await ('a' 'b'); x", "docstring"),
    ],
)
def test_what_would_change_more_than_the_await_is_left(body: str, why: str) -> None:
    result = edit_all(inside(body))
    assert result.data == inside(body)
    assert [why in left.why for left in result.left] == [True]


def test_a_docstring_in_a_body_of_one_line_is_seen() -> None:
    result = edit_all(b"async def f(): await 'text'\n")
    assert [left.why for left in result.left] == ["the string would become a docstring"]


def test_a_generator_expression_that_keeps_one_await_loses_the_other() -> None:
    data = inside("x = (await g(y) for y in z if await h())")
    awaits = all_awaits(data)
    assert edit(data, awaits[:1]).data == inside("x = (g(y) for y in z if await h())")
    assert edit(data, awaits[1:]).data == inside("x = (await g(y) for y in z if h())")
    assert edit(data, awaits).data == data


def test_only_what_is_certain_is_touched() -> None:
    data = inside("await g(); await h()")
    first, second = all_awaits(data)
    result = edit(data, [finding(first.span, certain=False), second])
    assert result.data == inside("await g(); h()")
    assert result.removed == (second,)
    assert "not certain" in result.left[0].why


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("async-with-of-non-async-context-manager", "`with` calls other methods"),
        ("async-for-of-non-async-iterable", "`for` calls other methods"),
        ("non-awaitable-argument", "takes an awaitable"),
        ("another-rule", "no `await` to take out"),
    ],
)
def test_other_rules_are_left_with_their_reason(rule: str, why: str) -> None:
    data = inside("x(await g())")
    result = edit(data, [finding(all_awaits(data)[0].span, rule=rule)])
    assert result.data == data
    assert why in result.left[0].why


def test_an_await_stays_where_an_awaitable_is_wanted() -> None:
    data = inside("gather(await g(), await h())")
    first, second = all_awaits(data)
    result = edit(data, [first, finding(first.span, rule="non-awaitable-argument"), second])
    assert result.data == inside("gather(await g(), h())")
    assert result.left[0].why == "without the `await`, `M` is not awaitable"


def test_an_unawaited_coroutine_is_left() -> None:
    data = inside("g()")
    place = Finding(FILE, Span(2, 4, 2, 7), Kind.UNAWAITED, "dropped-coroutine", "m", ("own",))
    result = edit(data, [place])
    assert result.data == data
    assert "only you know" in result.left[0].why


def test_a_finding_of_another_text_touches_nothing() -> None:
    data = inside("xx = await g()")
    assert "not the one that was judged" in edit(data, [finding(Span(2, 8, 2, 9))]).left[0].why
    elsewhere = Finding(
        FILE, Span(2, 9, 2, 18), Kind.AWAIT_SYNC, AWAIT_RULE, "m", ("pyrefly",), True,
        operand=Span(2, 17, 2, 18),
    )  # fmt: skip
    result = edit(data, [elsewhere])
    assert result.data == data
    assert "another expression" in result.left[0].why


@pytest.mark.parametrize(
    "data",
    [
        b"async def f(:\n    await g()\n",
        b"# coding: utf-9\nawait g()\n",
        b"\xff await g()\n",
        b"# coding: utf-7\nx = await g('+AGE-')\n",  # which is written in two ways
        inside("x = 1 if await(g())else 2"),  # Python reads it, LibCST does not
        ("async def f():\n    await g(" + "(" * 3000 + ")" * 3000 + ")\n").encode(),
    ],
)
def test_what_cannot_be_read_is_left_with_its_reason(data: bytes) -> None:
    result = edit(data, [finding(Span(2, 4, 2, 13))])
    assert result.data == data
    assert "cannot be edited" in result.left[0].why


def test_places_move_with_the_cuts() -> None:
    data = inside("x = await g(); y = (await\n        h()); z = w")
    result = edit_all(data)
    assert result.data == inside("x = g(); y = (h()); z = w")
    for name in "xyzgh":
        old, new = result.old.text.rindex(name), result.new.text.rindex(name)
        assert result.moved(result.old.span(old, old + 1)) == result.new.span(new, new + 1)


# The last look


@pytest.mark.parametrize(
    ("old", "new", "gone", "same"),
    [
        ("await f()", "f()", 1, True),
        ("await f()", "await f()", 1, False),
        ("await f()", "g()", 1, False),
        ("await f(await g())", "f(await g())", 1, True),
        ("await f(); 'a'", "f(); 'b'", 1, False),
        ("await f(1)", "f(1.0)", 1, False),
        ("await f(1)", "f(1, 2)", 1, False),
        ("await f()", "f(", 1, False),
    ],
)
def test_another_program_is_told_from_the_same(old: str, new: str, gone: int, same: bool) -> None:
    assert same_without_awaits(old, new, gone) is same


def test_the_text_that_an_f_string_shows_may_differ() -> None:
    old, new = "f'{await g()=}'", "f'{g()=}'"
    assert not same_without_awaits(old, new, 1)
    assert same_without_awaits(old, new, 1, shown=True)


# Random surroundings

CODECS = ["utf-8", "utf-8-sig", "latin-1", "cp1252", "shift_jis", "gb18030", "iso2022_jp"]
LETTERS = {"latin-1": "éß", "cp1252": "é€", "shift_jis": "表ソ", "iso2022_jp": "表ソ"}
Piece = str | tuple[int, str]
"""A stretch of source, or the keyword of the await with that number and what stands behind it."""


@st.composite
def expressions(draw: st.DrawFn, numbers: Iterator[int], depth: int, wide: str) -> list[Piece]:
    """Draw an expression that awaits calls whose first argument is a number of their own."""
    number = next(numbers)

    def nested() -> list[Piece]:
        if depth == 0 or draw(st.booleans()):
            return ["x"]
        return draw(expressions(numbers, depth - 1, wide))

    def blank() -> str:
        # Only inside parentheses; a comment needs its line end.
        return draw(st.sampled_from(["", " ", "\t", "\n", "\f", f"  # {wide}\n ", "\\\n"]))

    shape = draw(
        st.sampled_from(["f({n}, {e})", "(f({n}, {e}))", "{e}.g({n})", "f(0)({n})", "x[{e}]({n})"])
    )
    operand: list[Piece] = []
    for part in shape.replace("{n}", f" {number}").partition("{e}"):
        operand += [part] if part != "{e}" else ["(", blank(), *nested(), blank(), ")"]
    between = draw(
        st.sampled_from([" ", "  ", "\t", "\f ", "\n", "\\\n", f" # {wide}\n  ", f"\n # {wide}\n"])
    )
    before = draw(st.sampled_from(["(", "( ", "(\n", "-(", "not (", "y := (", "a + ("]))
    after = draw(st.sampled_from([")", " )", ") ** 2", ").h", f"  # {wide}\n)", " or b)"]))
    return ["(", before, (number, between), *operand, after, ")"]


STATEMENTS = [
    "    x = {e}",
    "    return {e}",
    "    {e}; {e}",
    "    [{e} for _ in y if {e}]",
    "    (z for z in {e})",
    "    def g(a={e}): pass",
    "    async with {e} as z: pass",
    "    if {e}: x = {{{e}: {e}}}",
    "    foo(*{e}, k={e})  # {w}",
    "    '{w}', {e}, '{w}'",
    "\f    x = '''{w}\n''', {e}",
]


@st.composite
def sources(draw: st.DrawFn) -> tuple[list[Piece], str]:
    """Draw the pieces of a file, and its encoding."""
    codec = draw(st.sampled_from(CODECS))
    wide = LETTERS.get(codec, "é表👩‍🔬")
    numbers = iter(range(1, 10**6))
    pieces: list[Piece] = [] if codec.startswith("utf-8") else [f"# coding: {codec}\n"]
    pieces += [draw(st.sampled_from(["", "# {w}\n", "'{w}'\n"])).format(w=wide), "async def f():\n"]
    for statement in draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4)):
        for at, part in enumerate(statement.replace("{w}", wide).split("{e}")):
            pieces += draw(expressions(numbers, 2, wide)) if at else []
            pieces.append(part.replace("{{", "{").replace("}}", "}"))
        pieces.append("\n")
    # The module tokenize looks for the coding line before a line feed.
    end = draw(st.sampled_from(["\n", "\r\n", *(["\r"] if codec.startswith("utf-8") else [])]))
    return [with_ends(piece, end) for piece in pieces], codec


def with_ends(piece: Piece, end: str) -> Piece:
    if isinstance(piece, str):
        return piece.replace("\n", end)
    return piece[0], piece[1].replace("\n", end)


def joined(pieces: Iterable[Piece], gone: frozenset[int]) -> str:
    """Join the pieces without some of the awaits: of what stands behind those, comments stay."""
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        elif piece[0] not in gone:
            text += f"await{piece[1]}"
        elif "#" in piece[1]:
            text += piece[1][piece[1].index("#") :] if text[-1].isspace() else piece[1]
    return text


class Replacement(ast.NodeTransformer):
    """Put what is awaited in the place of the awaits with some of the numbers."""

    def __init__(self, gone: frozenset[int]) -> None:
        self.gone = gone

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        assert isinstance(node.value, ast.Call)
        number = node.value.args[0]
        assert isinstance(number, ast.Constant)
        return node.value if number.value in self.gone else node


@given(drawn=sources(), data=st.data())
def test_every_other_byte_stays_and_the_program_is_the_same(
    drawn: tuple[list[Piece], str], data: st.DataObject
) -> None:
    pieces, codec = drawn
    numbers = [piece[0] for piece in pieces if not isinstance(piece, str)]
    gone = frozenset(data.draw(st.sets(st.sampled_from(numbers)), label="wrong"))
    source = joined(pieces, frozenset())
    text = Text(source)
    findings = []
    offset = 0
    for piece in pieces:
        if isinstance(piece, tuple) and piece[0] in gone:
            findings.append(finding(text.span(offset, offset + 5)))
        offset += len(joined([piece], frozenset()))
    result = edit(source.encode(codec), findings)
    assert not result.left
    assert result.data == joined(pieces, gone).encode(codec)
    old, new = ast.parse(source), ast.parse(result.data)
    assert ast.dump(Replacement(gone).visit(old)) == ast.dump(new)
    again = edit(result.data, ())
    assert again.data == result.data


@st.composite
def comprehensions(draw: st.DrawFn, depth: int) -> str:
    """Draw comprehensions in each other, with `{a}` where an await may stand."""

    def part() -> str:
        inner = draw(comprehensions(depth - 1)) if depth and draw(st.booleans()) else "x()"
        return draw(st.sampled_from(["{a}f(", "f("])) + inner + ")"

    clauses = ""
    for _ in range(draw(st.integers(1, 2))):
        clauses += draw(st.sampled_from([" for x in ", " for x in ", " async for x in "])) + part()
        clauses += f" if {part()}" if draw(st.booleans()) else ""
    opening, closing = draw(st.sampled_from(["()", "()", "[]", ("{", "}")]))
    return f"{opening}{part()}{clauses}{closing}"


def generators(source: str) -> list[bool]:
    """Return of each generator expression, as Python compiles it, whether it is asynchronous."""
    found: list[bool] = []

    def walk(code: CodeType) -> None:
        if code.co_name == "<genexpr>":
            found.append(bool(code.co_flags & inspect.CO_ASYNC_GENERATOR))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                walk(constant)

    walk(compile(source, "module.py", "exec"))
    return found


@given(template=comprehensions(2), data=st.data())
def test_no_generator_expression_changes_its_kind(template: str, data: st.DataObject) -> None:
    pieces = template.split("{a}")
    wrong = [data.draw(st.booleans(), label="wrong") for _ in pieces[1:]]
    source = "async def f():\n    return " + pieces[0]
    findings, without = [], source
    for piece, is_wrong in zip(pieces[1:], wrong, strict=True):
        if is_wrong:
            at = len(source) - len("async def f():\n")
            findings.append(finding(Span(2, at, 2, at + 5)))
        without += piece if is_wrong else f"await {piece}"
        source += f"await {piece}"
    result = edit(source.encode(), findings)
    assert generators(result.data.decode()) == generators(source)
    assert all("asynchronous" in left.why for left in result.left)
    if generators(without) == generators(source):
        assert result.data.decode() == without
    else:
        assert result.left
