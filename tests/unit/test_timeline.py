"""The timeline: what is compared of it has no times, and its figure tells what was missed."""

import re
from dataclasses import replace

import pytest
from msgspec import structs

from netra_incident.case import told_case
from netra_incident.figures import milestones
from netra_incident.measuring.comparison import Measurement
from netra_incident.measuring.timeline import Moment, Timeline, rehearse
from netra_ws.errors import ConfigurationError

CASE = told_case()
EVIDENCE = ["listening", "close 1011", "TypeError", "200", "100 of 100"]
MOMENTS = tuple(
    Moment(milestone, evidence, at_s)
    for at_s, (milestone, evidence) in enumerate(zip(CASE.milestones, EVIDENCE, strict=True))
)
NOTHING = Measurement([], {})
REACHED = Timeline(MOMENTS, NOTHING, NOTHING)
MISSED = replace(REACHED, moments=(*MOMENTS[:3], *(replace(one, at_s=None) for one in MOMENTS[3:])))


def test_its_text_is_the_same_whatever_the_times() -> None:
    slower = replace(REACHED, moments=tuple(replace(one, at_s=99.0) for one in MOMENTS))
    assert repr(slower) == repr(REACHED)
    assert milestones(slower).facts == milestones(REACHED).facts
    assert milestones(slower).alt == milestones(REACHED).alt
    assert milestones(slower).png != milestones(REACHED).png


def test_every_time_is_marked_rehearsed() -> None:
    lines = REACHED.with_times().splitlines()
    assert len(lines) == 5
    assert all(re.match(r" *rehearsed \+\d\.00 s  ", line) for line in lines)


def test_what_was_not_reached_is_told() -> None:
    assert REACHED.complete
    assert not MISSED.complete
    assert MISSED.with_times().count("not reached") == 2
    assert [fact for fact in milestones(MISSED).facts if "not reached" in fact] == [
        "mitigated: not reached: 200",
        "resolved: not reached: 100 of 100",
    ]
    [title, *_] = milestones(MISSED).figure.texts
    assert title.get_text() == "The rehearsal ended before it was mitigated"


def test_a_timeline_without_milestones_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one milestone"):
        milestones(replace(REACHED, moments=()))


async def test_a_case_with_other_milestones_is_refused_before_anything_starts() -> None:
    case = structs.replace(CASE, milestones=[])
    with pytest.raises(ConfigurationError, match="expected the milestones started, detected"):
        await rehearse(case)
