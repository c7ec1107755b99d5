"""The accounting finds what is lost, doubled, out of order or foreign, unless it was said."""

from __future__ import annotations

import json

import pytest
from accounting import Balance, Item, balance
from measuring import Measured, Spread

from netra_ws.errors import ConnectionEnded, EventsLost


def event(seq: int, user: str = "ann") -> str:
    return json.dumps({"type": "agent_thinking", "seq": seq, "user_id": user})


def ready(seq: int, recovered: bool | None = None, lost: int | None = None) -> str:
    payload = {"epoch": "e", "seq": seq, "recovered": recovered, "lost": lost}
    return json.dumps({"type": "connection_ready", "payload": payload})


ONE, TWO, THREE, FOUR, FIVE = LOG = [event(seq) for seq in range(1, 6)]
PONG = json.dumps({"type": "pong", "payload": {}})
CUT = ConnectionEnded(1006, "")

ADDS_UP: dict[str, tuple[list[Item], Balance]] = {
    "everything": ([ready(0), *LOG], Balance(5, 5)),
    "from the middle": ([ready(2), THREE, PONG, FOUR, FIVE], Balance(3, 3)),
    "resumed": ([ready(0), ONE, TWO, CUT, ready(2, True), THREE, FOUR, FIVE], Balance(5, 5)),
    "repeated after a resume": (
        [ready(0), ONE, TWO, CUT, ready(1, True), TWO, THREE, FOUR, FIVE],
        Balance(5, 5, again=1),
    ),
    "ended and said": ([ready(0), ONE, TWO, CUT], Balance(5, 2, ended=3)),
    "lost and said": (
        [ready(0), ONE, CUT, ready(3, False, 2), FOUR, FIVE],
        Balance(5, 3, lost=2),
    ),
    "lost to the head and said": ([ready(0), ONE, CUT, ready(5, False, 4)], Balance(5, 1, lost=4)),
    "lost and said by the client": (
        [ready(0), ONE, EventsLost(None), FOUR, FIVE],
        Balance(5, 3, lost=2),
    ),
}

DOES_NOT: dict[str, list[Item]] = {
    "a gap": [ready(0), ONE, THREE, FOUR, FIVE],
    "the beginning": [ready(0), TWO, THREE, FOUR, FIVE],
    "the end": [ready(0), ONE, TWO],
    "all of it": [ready(0)],
    "twice": [ready(0), ONE, TWO, TWO, THREE, FOUR, FIVE],
    "out of order": [ready(0), ONE, THREE, TWO, FOUR, FIVE],
    "another's": [ready(0), ONE, event(2, "ben"), THREE, FOUR, FIVE],
    "past the log": [ready(0), *LOG, event(6)],
    "a gap behind a resume that recovered": [ready(0), ONE, CUT, ready(1, True), THREE],
    "a gap said once, then another": [
        *(ready(0), ONE, CUT, ready(2, False, 1), THREE),
        FIVE,
    ],
    "more lost than was said": [ready(0), ONE, CUT, ready(3, False, 1), FOUR, FIVE],
    "the end, after a resume": [ready(0), ONE, TWO, CUT, ready(2, True)],
    "the end, after a loss that was said": [ready(0), ONE, CUT, ready(3, False, 2), FOUR],
    "a repetition without a resume": [ready(0), ONE, TWO, CUT, TWO, THREE, FOUR, FIVE],
    "a resume too late": [ready(0), ONE, CUT, ready(2, True), THREE, FOUR, FIVE],
    "before connection_ready": [ONE],
}


@pytest.mark.parametrize(("stream", "expected"), ADDS_UP.values(), ids=list(ADDS_UP))
def test_what_was_delivered_or_said_adds_up(stream: list[Item], expected: Balance) -> None:
    assert balance(LOG, stream) == expected


@pytest.mark.parametrize("stream", DOES_NOT.values(), ids=list(DOES_NOT))
def test_what_was_left_unsaid_is_found(stream: list[Item]) -> None:
    with pytest.raises(AssertionError):
        balance(LOG, stream)


def test_a_sentence_shows_the_spread() -> None:
    measured = Measured()
    measured(
        "{n} of {n} after {took:.1f ms}, once {once:.0f s}",
        n=3,
        took=Spread.of([3, 1, 2]),
        once=Spread.of([4]),
    )
    assert measured.sentence == "3 of 3 after 2.0 ms (1.0-3.0, n = 3), once 4 s (n = 1)"
    assert measured.report()["facts"]["took"] == {"n": 3, "median": 2, "low": 1, "high": 3}
