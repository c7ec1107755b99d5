"""The five events: their wire form, their time stamps, and the grammar of a run."""

from __future__ import annotations

import json
import math
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netra_ws import events
from netra_ws.errors import GrammarError
from netra_ws.messages import (
    ConnectionReady,
    ConnectionReadyPayload,
    Error,
    ErrorPayload,
    Pong,
    PongPayload,
)

ENVELOPE: dict[str, Any] = {
    "seq": 7,
    "epoch": "e1",
    "user_id": "ann",
    "thread_id": "t1",
    "run_id": "r1",
    "agent_name": "reader",
    "timestamp": "2026-01-02T03:04:05.678Z",
}
HEAD = (
    '"seq":7,"epoch":"e1","user_id":"ann","thread_id":"t1","run_id":"r1",'
    '"agent_name":"reader","timestamp":"2026-01-02T03:04:05.678Z"'
)
EVENTS: dict[str, tuple[Any, Any, str]] = {
    "agent_started": (
        events.AgentStarted,
        events.AgentStartedPayload("hi"),
        '{"message":"hi"}',
    ),
    "agent_thinking": (
        events.AgentThinking,
        events.AgentThinkingPayload("hm", 1),
        '{"reasoning":"hm","step":1}',
    ),
    "tool_executing": (
        events.ToolExecuting,
        events.ToolExecutingPayload("c1", "add", {"a": 1}),
        '{"tool_call_id":"c1","tool_name":"add","parameters":{"a":1}}',
    ),
    "tool_completed": (
        events.ToolCompleted,
        events.ToolCompletedPayload("c1", "add", [3], True, 1.5),
        '{"tool_call_id":"c1","tool_name":"add","results":[3],"success":true,"duration_ms":1.5}',
    ),
    "agent_completed": (
        events.AgentCompleted,
        events.AgentCompletedPayload("completed", "3", 2.5, 5, "ab"),
        '{"status":"completed","final_response":"3","duration_ms":2.5,"events":5,"digest":"ab"}',
    ),
}


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_wire_form_is_the_contract_letter_by_letter(event_type: str) -> None:
    event, payload, wire_payload = EVENTS[event_type]
    sent = events.encode(event(**ENVELOPE, payload=payload)).decode()
    assert sent == f'{{"type":"{event_type}",{HEAD},"payload":{wire_payload}}}'


def test_the_five_types_are_in_the_order_of_a_run() -> None:
    assert tuple(EVENTS) == events.EVENT_TYPES


@pytest.mark.parametrize(
    ("message", "wire_payload"),
    [
        (
            ConnectionReady("T", ConnectionReadyPayload("c", "e", 3, None, 0)),
            '{"connection_id":"c","epoch":"e","seq":3,"recovered":null,"lost":0,"runs":[]}',
        ),
        (Error("T", ErrorPayload("code", "words")), '{"code":"code","message":"words"}'),
        (Pong("T", PongPayload()), "{}"),
    ],
)
def test_the_servers_own_messages_have_no_seq(message: Any, wire_payload: str) -> None:
    tag = message.__struct_config__.tag
    assert events.encode(message).decode() == (
        f'{{"type":"{tag}","timestamp":"T","payload":{wire_payload}}}'
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
numbers = st.floats(0, 1e9)
payloads = {
    events.AgentStarted: st.builds(events.AgentStartedPayload, st.text()),
    events.AgentThinking: st.builds(events.AgentThinkingPayload, st.text(), st.integers(1, 999)),
    events.ToolExecuting: st.builds(
        events.ToolExecutingPayload,
        st.text(),
        st.text(),
        st.dictionaries(st.text(), json_values, max_size=3),
    ),
    events.ToolCompleted: st.builds(
        events.ToolCompletedPayload, st.text(), st.text(), json_values, st.booleans(), numbers
    ),
    events.AgentCompleted: st.builds(
        events.AgentCompletedPayload,
        st.sampled_from(["completed", "failed", "cancelled"]),
        st.text(),
        numbers,
        st.integers(2, 999),
        st.text(),
    ),
}
any_event = st.one_of(
    [
        st.builds(
            event,
            seq=st.integers(1, 2**53),
            payload=payload,
            **{name: st.text() for name in ENVELOPE if name != "seq"},
        )
        for event, payload in payloads.items()
    ]
)


@given(any_event)
def test_an_event_comes_back_as_it_was_sent(event: Any) -> None:
    sent = events.encode(event)
    assert events.decode(sent) == event
    assert events.decode(sent.decode()) == event


@given(any_event)
def test_an_event_is_one_line_of_json_with_its_type_first(event: Any) -> None:
    sent = events.encode(event)
    assert not re.search(rb"[\r\n]", sent)
    assert list(json.loads(sent)) == ["type", *ENVELOPE, "payload"]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{}",
        '{"type":"agent_started"}',
        '{"type":"pong","timestamp":"T","payload":{}}',
        '{"type":"agent_started",' + HEAD + ',"payload":{}}',
        '{"type":"agent_started",' + HEAD.replace("7", '"7"') + ',"payload":{"message":"hi"}}',
        EVENTS["agent_completed"][2].replace("completed", "paused"),
    ],
)
def test_what_is_not_an_event_is_refused(message: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        events.decode(message)


def test_an_unknown_status_is_refused() -> None:
    wire = EVENTS["agent_completed"][2].replace('"completed"', '"paused"')
    with pytest.raises(msgspec.ValidationError):
        events.decode(f'{{"type":"agent_completed",{HEAD},"payload":{wire}}}')


def test_a_time_stamp_is_rfc_3339_in_utc_to_the_millisecond() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", events.timestamp())


def test_a_time_stamp_is_the_time_now() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    stamped = datetime.fromisoformat(events.timestamp())
    assert before <= stamped <= datetime.now(UTC)


@given(st.integers(0, 4_102_444_800_000), st.integers(0, 2000))
def test_time_stamps_agree_with_datetime_at_any_time(start: int, later: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for milliseconds in (start, start + later):
            patch.setattr(time, "time_ns", lambda now=milliseconds: now * 1_000_000 + 999)
            expected = datetime.fromtimestamp(milliseconds // 1000, UTC)
            assert events.timestamp() == f"{expected:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


# The grammar, once more and in another way: each event as a letter, a run as a regular
# expression, and the events of each call as one of their own. A tool call is its number, executing
# (e1) and completed (c1).

RUN = re.compile(r"s(?:t|[ec]\d)*f")


def is_in_order(run: list[str]) -> bool:
    """Return whether the run matches, and whichever call is looked at alone."""
    calls = ("".join(word for word in run if word.endswith(str(n))) for n in range(3))
    alone = all(re.fullmatch(r"(?:e\dc\d)*", call) for call in calls)
    return alone and bool(RUN.fullmatch("".join(run)))


def spelled(turns: list[str]) -> list[str]:
    """Return a run that thinks and whose calls begin or end, whichever is their turn."""
    run, open_calls = ["s"], set()
    for turn in turns:
        run.append(turn if turn == "t" else f"{'c' if turn in open_calls else 'e'}{turn}")
        open_calls ^= {turn} - {"t"}
    return [*run, *(f"c{call}" for call in sorted(open_calls)), "f"]


WORDS = {
    "s": ("agent_started", None),
    "t": ("agent_thinking", None),
    "f": ("agent_completed", None),
    **{f"e{n}": ("tool_executing", f"call-{n}") for n in range(3)},
    **{f"c{n}": ("tool_completed", f"call-{n}") for n in range(3)},
}
broken_runs = st.lists(st.sampled_from(sorted(WORDS)), max_size=8)
good_runs = st.lists(st.sampled_from(["t", "0", "1", "2"]), max_size=12).map(spelled)
injured_runs = st.tuples(good_runs, st.integers(0, 20), broken_runs.map(lambda run: run[:1])).map(
    lambda injury: [
        *injury[0][: injury[1]],
        *injury[2],
        *injury[0][injury[1] + (not injury[2]) :],
    ]
)


def is_accepted(run: list[str]) -> bool:
    grammar = events.Grammar()
    try:
        for word in run:
            grammar.accept(*WORDS[word])
    except GrammarError:
        return False
    return grammar.ended


@settings(max_examples=500)
@given(good_runs | injured_runs | broken_runs)
def test_the_grammar_accepts_what_the_regular_expression_matches(run: list[str]) -> None:
    assert is_accepted(run) == is_in_order(run)


@given(good_runs)
def test_every_run_that_the_rule_makes_is_accepted(run: list[str]) -> None:
    assert is_accepted(run)


def test_a_check_changes_nothing() -> None:
    grammar = events.Grammar()
    grammar.check("agent_started")
    grammar.check("agent_started")
    grammar.accept("agent_started")
    assert not grammar.ended


def test_a_refused_event_leaves_the_run_where_it_was() -> None:
    grammar = events.Grammar()
    grammar.accept("agent_started")
    with pytest.raises(GrammarError):
        grammar.accept("tool_completed", "call-1")
    grammar.accept("agent_completed")
    assert grammar.ended


def test_a_tool_call_is_completed_under_its_own_id() -> None:
    grammar = events.Grammar()
    grammar.accept("agent_started")
    grammar.accept("tool_executing", "call-1")
    with pytest.raises(GrammarError, match=r"of call-1, got .* of call-2"):
        grammar.accept("tool_completed", "call-2")
    grammar.accept("tool_completed", "call-1")


def test_a_call_that_is_open_cannot_begin_again() -> None:
    grammar = events.Grammar()
    grammar.accept("agent_started")
    grammar.accept("tool_executing", "call-1")
    with pytest.raises(GrammarError, match=r"another tool_executing or .* got tool_executing of"):
        grammar.accept("tool_executing", "call-1")


def test_a_run_does_not_end_before_its_calls() -> None:
    grammar = events.Grammar()
    grammar.accept("agent_started")
    grammar.accept("tool_executing", "call-1")
    grammar.accept("tool_executing", "call-2")
    with pytest.raises(GrammarError, match="tool_completed of call-1 or tool_completed of call-2"):
        grammar.accept("agent_completed")


def test_nothing_follows_the_end_of_a_run() -> None:
    grammar = events.Grammar()
    grammar.accept("agent_started")
    grammar.accept("agent_completed")
    with pytest.raises(GrammarError, match="expected no further event, got agent_thinking"):
        grammar.accept("agent_thinking")


@pytest.mark.parametrize("event_type", ["", "connection_ready", "error", "pong", "Agent_Started"])
def test_what_is_no_event_is_in_no_run(event_type: str) -> None:
    with pytest.raises(GrammarError):
        events.Grammar().accept(event_type)


def test_a_number_that_json_does_not_have_is_sent_as_null() -> None:
    payload = events.ToolCompletedPayload("c1", "divide", math.inf, True, 0.0)
    sent = events.encode(events.ToolCompleted(**ENVELOPE, payload=payload))
    assert json.loads(sent)["payload"]["results"] is None
