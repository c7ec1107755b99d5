"""The exercises that need no server: right answers pass, and each wrong kind is told why."""

import asyncio
from typing import Any

import pytest

from netra_incident.exercises import EXERCISES, check
from netra_incident.exercises.colours import TWO_COLOURS


@pytest.mark.parametrize("name", EXERCISES)
def test_without_an_answer_it_says_what_to_do(name: str) -> None:
    verdict = check(name)
    assert verdict.right is None
    assert not verdict
    assert repr(verdict).startswith("To do. ")
    assert EXERCISES[name].task in repr(verdict)
    assert repr(check(name, ...)) == repr(verdict)


def test_an_unknown_exercise_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LookupError, match="expected one of 'a number that tells', "):
        check("no such exercise")


async def serve(brew: Any, pour: Any) -> tuple[str, str]:
    return await brew(), pour()


def test_one_of_each_is_right() -> None:
    assert check("one of each", serve)


async def test_it_can_be_checked_while_an_event_loop_runs() -> None:
    assert check("one of each", serve)


async def awaits_both(brew: Any, pour: Any) -> tuple[str, str]:
    return await brew(), await pour()


async def awaits_none(brew: Any, pour: Any) -> tuple[str, str]:
    return brew(), pour()


async def tries_again(brew: Any, pour: Any) -> tuple[str, str]:
    try:
        return await brew(), await pour()
    except TypeError:
        return await brew(), pour()


async def waits_for_ever(brew: Any, pour: Any) -> None:
    await asyncio.Event().wait()


async def raises(brew: Any, pour: Any) -> None:
    raise LookupError("no cup")


async def other_way_round(brew: Any, pour: Any) -> tuple[str, str]:
    return pour(), await brew()


def not_async(brew: Any, pour: Any) -> tuple[str, str]:
    return brew(), pour()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (awaits_both, "`pour` had run by then"),
        (awaits_none, "returned a coroutine of `brew`, which nobody awaited"),
        (tries_again, "brew ran 2 times and pour 2"),
        (waits_for_ever, "did not return within"),
        (raises, "raised LookupError: no cup"),
        (other_way_round, r"returned ('water', 'tea'), expected ('tea', 'water')"),
        (not_async, "Expected a function written with `async def`, got function"),
        ("tea", "Expected a function written with `async def`, got str"),
    ],
)
def test_one_of_each_is_wrong(answer: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netra_incident.exercises.colours.TIMEOUT_S", 0.2)
    verdict = check("one of each", answer)
    assert verdict.right is False
    assert why in repr(verdict)


MENDED = TWO_COLOURS.replace("await Cache()", "Cache()")


def test_one_name_two_colours_is_right() -> None:
    assert check("one name, two colours", MENDED)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (TWO_COLOURS, "TypeError: "),
        (TWO_COLOURS.replace("await ", ""), "its `await` was right"),
        (MENDED.replace("Cache()", "Cache("), "SyntaxError"),
        (TWO_COLOURS.replace("    def get", "    async def get"), "'def get(self, key):' is gone"),
        (MENDED.replace('"b"', '"c"'), "returned ('a', 'c'), expected ('a', 'b')"),
        (["not", "text"], "Expected the module as a str, got list"),
    ],
)
def test_one_name_two_colours_is_wrong(answer: Any, why: str) -> None:
    verdict = check("one name, two colours", answer)
    assert verdict.right is False
    assert why in repr(verdict)


def test_more_than_95_is_right() -> None:
    assert [n for n in range(201) if check("more than 95 %", n)] == [197]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (190, "not above 95%"),
        (196, "take the lower"),
        (198, "so is one fewer"),
        (200, "Which is the least?"),
        (201, "Expected a number from 0 to 200"),
        (-1, "Expected a number from 0 to 200"),
        (0.975, "Expected a whole number of sessions, got 0.975"),
        (True, "Expected a whole number of sessions, got True"),
    ],
)
def test_more_than_95_is_wrong(answer: Any, why: str) -> None:
    verdict = check("more than 95 %", answer)
    assert verdict.right is False
    assert why in repr(verdict)


@pytest.mark.parametrize("name", ["isolated", "a whole run"])
def test_what_is_no_function_is_refused_before_any_server_starts(name: str) -> None:
    assert "Expected a function, got int" in repr(check(name, 5))


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("a number that tells", "uptime", "There is no row 'uptime': expected one of handshakes"),
        ("a killed server", "1011", "Expected a close code as a number"),
        ("the four lines", 25, "Expected numbers of lines"),
        ("the four lines", "25", "Expected numbers of lines"),
        ("after the roll back", 1011, "Expected three numbers in brackets"),
        ("your fix", 5, "Expected the path of a folder, got int"),
        ("your fix", "no-such-folder", "There is no folder no-such-folder"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_before_any_server_starts(
    name: str, answer: Any, why: str
) -> None:
    verdict = check(name, answer)
    assert verdict.right is False
    assert why in repr(verdict)
