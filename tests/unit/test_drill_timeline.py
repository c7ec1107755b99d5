"""The timeline of a drill: what it states follows from the drill, and nothing lies on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from netra_incident.drill import Drill, Step, TrafficSession
from netra_incident.drill.activities import PLAN
from netra_incident.figures import Picture, drill_timeline

SECONDS = (1.0, 0.01, 0.6, 0.03, 1.5, 0.01, 0.02, 0.6, 1.0)
BROKEN, REFUSED, COMPLETE = "close 1011, no reason", "connection refused", "complete"
Box = tuple[float, float, float, float]


def traffic(start_s: float, end_s: float, outcome: str) -> list[TrafficSession]:
    """Three users, a session each every tenth of the time, that end before it does."""
    step_s = (end_s - start_s) / 10
    return [
        TrafficSession(
            f"user{n}", start_s + turn * step_s, start_s + (turn + 0.5) * step_s, outcome
        )
        for turn in range(10)
        for n in (1, 2, 3)
    ]


def drill(
    seconds: Sequence[float] = SECONDS, failed: Sequence[int] = (), untried: Sequence[int] = ()
) -> Drill:
    """A drill whose steps take so long; by their places, some fail and some are not tried."""
    steps: list[Step] = []
    now = 0.0
    for place, (activity, took) in enumerate(zip(PLAN, seconds, strict=True)):
        end = now if place in untried else now + took
        ok = None if place in untried else place not in failed
        steps.append(Step(activity, now, end, ok))
        now = end
    ends = [step.end_s or 0.0 for step in steps]
    deployed = not {2} & {*failed, *untried}
    sessions = [
        *traffic(0.0, ends[1], COMPLETE),
        *traffic(ends[1], ends[2], REFUSED),
        *(traffic(ends[2], ends[6], BROKEN) if deployed else []),
        *traffic(ends[6], ends[7], REFUSED),
        *traffic(ends[7], ends[8], COMPLETE),
    ]
    broken_s = ends[2] if deployed else None
    return Drill(datetime.now(UTC), tuple(steps), tuple(sessions), broken_s, ends[7])


PLANNED = drill()
SLOW = drill([5 * second for second in SECONDS])
BUSY = drill([1.1, 0.2, 2.9, 0.4, 9.0, 0.8, 0.2, 3.1, 1.0])
LONG_STEADY_STATE = drill([9.0, 0.01, 0.6, 0.03, 0.4, 0.01, 0.02, 0.6, 1.0])
FAILED = drill(failed=[4, 5])
LATE = drill(failed=[8])
NO_REVERT = drill(failed=[1], untried=[2, 3, 4, 5])
INTERRUPTED = replace(PLANNED, steps=(*PLANNED.steps[:5], *PLANNED.steps[6:]), interrupted=True)
BEFORE_ANYTHING = Drill(datetime.now(UTC), (), (), interrupted=True)
ALL = {name: found for name, found in globals().items() if isinstance(found, Drill)}


@pytest.fixture(scope="module", params=ALL)
def picture(request: pytest.FixtureRequest) -> Picture:
    return drill_timeline(ALL[request.param])


def boxes(picture: Picture) -> tuple[dict[str, Box], list[Box]]:
    """The extents in pixels of the visible texts, and of the bars."""
    renderer = FigureCanvasAgg(picture.figure).get_renderer()
    picture.figure.draw(renderer)
    texts = {
        f"{place}: {text.get_text()}": text.get_window_extent(renderer).extents
        for place, text in enumerate(picture.figure.findobj(Text))
        if text.get_visible() and text.get_text().strip()
    }
    steps = picture.figure.axes[0]
    bars = [bar.get_window_extent().extents for group in steps.containers for bar in group]
    return texts, bars


def apart(a: Box, b: Box) -> bool:
    return a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] - 2 or b[1] >= a[3] - 2


def test_no_text_is_cut_off_or_lies_on_another_or_on_a_bar(picture: Picture) -> None:
    texts, bars = boxes(picture)
    width, height = picture.figure.get_size_inches() * picture.figure.dpi
    for text, box in texts.items():
        assert box[0] >= 0, text
        assert box[1] >= 0, text
        assert box[2] <= width, text
        assert box[3] <= height, text
        assert all(apart(box, bar) for bar in bars), text
    for (one, a), (other, b) in combinations(texts.items(), 2):
        assert apart(a, b), f"{one!r} lies on {other!r}"


def test_no_text_is_smaller_than_nine_points(picture: Picture) -> None:
    found = picture.figure.findobj(Text)
    assert all(text.get_fontsize() >= 9 for text in found if text.get_text())


def test_there_is_a_bar_for_each_step_that_was_tried() -> None:
    assert len(boxes(drill_timeline(PLANNED))[1]) == len(PLAN)
    assert len(boxes(drill_timeline(NO_REVERT))[1]) == len(PLAN) - 4
    bars = boxes(drill_timeline(PLANNED))[1]
    assert all(one[0] <= other[0] and one[1] > other[1] for one, other in pairwise(bars))


def test_facts_and_alt_hold_nothing_that_comes_from_time() -> None:
    fast, slow = drill_timeline(PLANNED), drill_timeline(SLOW)
    assert fast.facts == slow.facts
    assert fast.alt == slow.alt


def test_a_drill_as_planned_is_told_in_words() -> None:
    facts = drill_timeline(PLANNED).facts
    assert facts == (
        "as planned: steady state, revert, redeploy, detect, validate, investigate, "
        "reapply, redeploy, verify",
        "fix deployed: every session complete",
        "bug deployed: no session complete",
        "fix reapplied: every session complete",
        f"detected: {BROKEN}",
        "time to detect: measured",
        "time to recover: measured",
        "new failures: none",
    )
    assert "The outage shows in the first session, the fix ends it" in drill_timeline(PLANNED).alt


def test_the_measured_seconds_and_the_number_of_sessions_are_in_the_figure() -> None:
    words = [text.get_text() for text in drill_timeline(PLANNED).figure.findobj(Text)]
    assert f"time to detect {PLANNED.time_to_detect_s:.2f} s" in words
    assert f"time to recover {PLANNED.time_to_recover_s:.2f} s" in words
    (measure,) = (text for text in words if text.startswith("rehearsed "))
    assert measure.endswith("n = 150 of 3 users")


def test_steps_that_failed_or_were_not_tried_are_named() -> None:
    picture = drill_timeline(NO_REVERT)
    assert "The drill deviated: revert failed" in picture.alt
    assert "failed: revert" in picture.facts
    assert "not tried: redeploy, detect, validate, investigate" in picture.facts
    assert "time to detect: not measured" in picture.facts
    assert not any(fact.startswith("bug deployed") for fact in picture.facts)


def test_a_bug_that_spares_a_session_is_not_said_to_show_in_the_first() -> None:
    lucky = [
        replace(session, outcome=COMPLETE) if session.user_id == "user2" else session
        for session in PLANNED.sessions
    ]
    picture = drill_timeline(replace(PLANNED, sessions=tuple(lucky)))
    assert "The outage shows in some sessions" in picture.alt
    assert "bug deployed: some sessions complete, others not" in picture.facts


def test_new_failures_are_counted_and_an_interruption_is_said() -> None:
    assert "new failures: 2" in drill_timeline(replace(FAILED, new_failures=("a", "b"))).facts
    assert "interrupted, and the fix is deployed again" in drill_timeline(INTERRUPTED).alt
    assert "The drill was interrupted." in drill_timeline(BEFORE_ANYTHING).alt
    assert drill_timeline(BEFORE_ANYTHING).facts[0] == "fix deployed: no session at all"


def test_each_kind_of_session_has_a_shape_and_a_place_of_its_own() -> None:
    rate = drill_timeline(PLANNED).figure.axes[1]
    drawn = {
        (line.get_marker(), round(float(y)))
        for line in rate.lines
        if len(line.get_ydata()) > 1
        for y in line.get_ydata()
    }
    assert drawn == {("o", 1), ("X", 0), ("^", 0)}
