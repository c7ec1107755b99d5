"""The figures: what they state follows from the data alone, and nothing in them is cut off."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from netra_incident.figures import (
    Picture,
    fingerprints,
    isolation_matrix,
    latency_ecdf,
    leaks,
    one_word,
    resume,
    session_sequence,
    success,
    swimlanes,
    wilson,
)
from netra_incident.measuring.fingerprint import Fingerprint, Sign
from netra_incident.measuring.interruption import Interruption
from netra_incident.measuring.load import Frame, Received, Session, isolation
from netra_ws import events

USERS = ("ada", "bob", "eve")
LINE = "return await get_thing(context)"
FAILURE = {
    "type": "TypeError",
    "message": "object Thing can't be used in 'await' expression",
    "where": "package/routes/thing.py:25",
    "function": "create_thing",
    "line": LINE,
}
PATH = ("client", "endpoint", "create_thing", "await", "TypeError", "close 1011")


def run(user_id: str, first_seq: int = 1) -> list[str]:
    """One run as the server sends it."""
    payloads = (
        (events.AgentStarted, events.AgentStartedPayload("hello")),
        (events.AgentThinking, events.AgentThinkingPayload("I count.", 1)),
        (events.ToolExecuting, events.ToolExecutingPayload("c1", "count", {})),
        (events.ToolCompleted, events.ToolCompletedPayload("c1", "count", 1, True, 0.1)),
    )
    envelope = {
        "epoch": "e",
        "user_id": user_id,
        "thread_id": "t",
        "run_id": f"r{first_seq}",
        "agent_name": "a",
        "timestamp": "2026-01-01T00:00:00.000Z",
    }
    messages = [
        events.encode(struct(seq=seq, payload=payload, **envelope))
        for seq, (struct, payload) in enumerate(payloads, first_seq)
    ]
    digest = sha256(b"".join(message + b"\n" for message in messages)).hexdigest()
    done = events.AgentCompletedPayload("completed", "1 word", 0.2, 5, digest)
    messages.append(
        events.encode(events.AgentCompleted(seq=first_seq + 4, payload=done, **envelope))
    )
    return [message.decode() for message in messages]


def working_sessions(users: Sequence[str] = USERS, each: int = 2, ms: float = 1) -> list[Session]:
    """Sessions that got all; their events are `ms` apart, and later sessions are slower."""
    sessions = []
    for user in users:
        for turn in range(each):
            step = ms / 1000 * (1 + turn)
            frames = [
                Frame(1 + step * place, text)
                for place, text in enumerate(run(user, 1 + 5 * turn), 1)
            ]
            sessions.append(Session(user, 0.9, 101, 1.0, frames[-1].at, 1000, frames=frames))
    return sessions


def broken_sessions(users: Sequence[str] = USERS, each: int = 2, ms: float = 1) -> list[Session]:
    """Sessions that were let in and then closed, without a message."""
    return [
        Session(user, 0.9, 101, 1.0, 1 + ms / 1000 * (1 + turn), 1011)
        for user in users
        for turn in range(each)
    ]


def with_a_leak(sessions: list[Session]) -> list[Session]:
    """The same, but the first session also gets an event of another user."""
    first, *others = sessions
    at, _ = first.frames[-1]
    leaked = Frame(at, run("mallory")[0])
    frames = [*first.frames, leaked]
    return [Session(first.user_id, 0.9, 101, 1.0, at, 1000, frames=frames), *others]


def an_interruption(runs: int = 8, ms: float = 1, away: int = 2, lost: int = 0) -> Interruption:
    """A tab that is cut off in its third run, comes back `away` runs later, and misses `lost`."""
    sent = [text for number in range(runs) for text in run("ada", 1 + 5 * number)]
    before, back = 13, 15 + 5 * away
    at = [ms / 1000 * place for place in range(len(sent))]
    witness = [Received(*one, events.decode(one[1])) for one in zip(at, sent, strict=True)]
    late = [one._replace(at=max(one.at, at[back])) for one in witness[before + lost :]]
    interrupted = [*witness[:before], *late]
    return Interruption(runs, witness, interrupted, at[before], before, reconnects=1)


def failures() -> dict[str, Fingerprint]:
    """Two failures: the endpoints share the one and the log explains it; nothing does the other."""
    paths = ("/ws/health", "/ws/config", "/ws/stats")
    sign = Sign("TypeError", "create_thing", "package/routes/a_long_name_of_a_file.py", awaits=True)
    down, up = dict.fromkeys(paths, 500), dict.fromkeys(paths, 200)
    return {
        "superfluous await": Fingerprint(101, 1011, "", 0, 0, down, (sign,)),
        "abrupt drop": Fingerprint(101, 1006, "", 0, 0, up, ()),
    }


FIGURES = (
    "one word",
    "sequence",
    "swimlanes",
    "isolation",
    "latency",
    "success",
    "resume",
    "fingerprints",
)


@cache
def drawn(users: tuple[str, ...] = USERS, each: int = 2, ms: float = 1) -> dict[str, Picture]:
    """Every figure of the same data."""
    broken, working = broken_sessions(users, each, ms), working_sessions(users, each, ms)
    panels = {"buggy": broken, "fixed": working, "leaky control": with_a_leak(working)}
    return {
        "one word": one_word(LINE, LINE.replace("await ", ""), FAILURE, PATH),
        "sequence": session_sequence(broken[0], working[0], FAILURE),
        "swimlanes": swimlanes(broken, working),
        "isolation": isolation_matrix({name: isolation(of) for name, of in panels.items()}),
        "latency": latency_ecdf(working),
        "success": success(broken, working),
        "resume": resume(an_interruption(ms=ms, away=1 + each % 5)),
        "fingerprints": fingerprints(failures()),
    }


def texts(picture: Picture) -> dict[str, tuple[float, float, float, float]]:
    """The visible texts of a figure with their extents, in pixels."""
    renderer = FigureCanvasAgg(picture.figure).get_renderer()
    picture.figure.draw(renderer)
    return {
        f"{place}: {text.get_text()}": text.get_window_extent(renderer).extents
        for place, text in enumerate(picture.figure.findobj(Text))
        if text.get_visible() and text.get_text().strip()
    }


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"each": 10, "ms": 40},
        {"users": tuple(f"user{n}" for n in range(1, 21)), "each": 5, "ms": 0.02},
        {"users": ("a.rather.long.name@example.org",), "each": 1},
    ],
    ids=["small", "slow", "many users", "long name"],
)
def test_no_text_is_cut_off_or_lies_on_another(name: str, data: dict[str, Any]) -> None:
    picture = drawn(**data)[name]
    found = texts(picture)
    width, height = picture.figure.get_size_inches() * picture.figure.dpi
    for text, (left, bottom, right, top) in found.items():
        assert left >= 0, text
        assert bottom >= 0, text
        assert right <= width, text
        assert top <= height, text
    for (one, a), (other, b) in combinations(found.items(), 2):
        apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] - 2 or b[1] >= a[3] - 2
        assert apart, f"{one!r} lies on {other!r}"


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_smaller_than_nine_points(name: str) -> None:
    found = drawn()[name].figure.findobj(Text)
    assert all(text.get_fontsize() >= 9 for text in found if text.get_text())


@pytest.mark.parametrize("name", FIGURES)
def test_facts_and_alt_hold_nothing_that_comes_from_time(name: str) -> None:
    fast, slow = drawn(each=3, ms=0.37)[name], drawn(each=3, ms=91.3)[name]
    assert fast.facts == slow.facts
    assert fast.alt == slow.alt


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_a_png_with_its_facts_and_an_alt_text(name: str, tmp_path: Path) -> None:
    picture = drawn()[name]
    data, metadata = picture._repr_mimebundle_()
    assert picture.png.startswith(b"\x89PNG\r\n\x1a\n")
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["text/plain"] == repr(picture) == "\n".join(picture.facts)
    assert len(metadata["image/png"]["alt"]) > 40
    picture.save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes() == picture.png


def test_the_same_data_give_the_same_bytes_whatever_style_the_caller_has() -> None:
    data = broken_sessions(), working_sessions()
    with rc_context({"font.size": 20, "axes.grid": True, "savefig.bbox": "tight"}):
        strange = swimlanes(*data).png
    assert strange == swimlanes(*data).png


def test_a_lost_session_changes_what_swimlanes_and_latency_say() -> None:
    whole = working_sessions()
    lost = [*whole[:-1], Session("eve", 0.9, 101, 1.0, 1.001, 1006)]
    broken = broken_sessions()
    assert "working: 30 events in 6 sessions of 3 users" in swimlanes(broken, whole).facts
    facts = swimlanes(broken, lost).facts
    assert "working: 25 events in 6 sessions of 3 users" in facts
    assert "working: 5 of 6 sessions complete" in facts
    assert "working: close codes without a complete run: 1006 × 1" in facts
    assert "agent_completed: arrived in 5 of 6 sessions" in latency_ecdf(lost).facts


def test_a_leaked_event_changes_what_swimlanes_and_the_matrix_say() -> None:
    whole = working_sessions()
    leaky = with_a_leak(whole)
    assert "working: 1 event of another user" in swimlanes([], leaky).facts
    assert leaks(isolation(whole)) == 0
    assert leaks(isolation(leaky)) == 1
    clean = isolation_matrix({"it": isolation(whole)})
    assert clean.facts == ("it: diagonal: each sees only their own; 30 events, 0 leaked",)
    assert isolation_matrix({"it": isolation(leaky)}).facts == (
        "it: a leak: events off the diagonal",
    )


def test_a_panel_is_judged_by_its_counts_and_not_by_its_name() -> None:
    nothing = isolation(broken_sessions())
    some = isolation(working_sessions(["ada", "bob"]))
    picture = isolation_matrix({"fixed": nothing, "leaky control": some})
    assert picture.facts == (
        "fixed: all zero: absence, not isolation; 0 events, 0 leaked",
        "leaky control: no leak, but 1 user got nothing; 20 events, 0 leaked",
    )


def test_leaks_counts_events_of_owners_who_receive_nothing_themselves() -> None:
    assert leaks({"ada": Counter({"ada": 5, "bob": 2}), "eve": Counter({"mallory": 1})}) == 3


def test_success_says_how_handshakes_deceive_only_where_they_do() -> None:
    picture = success(broken_sessions(each=34), working_sessions(each=34))
    assert "Handshakes say 100 % all through the outage, sessions 0 %" in picture.alt
    assert "session complete, broken: 0/102, interval 0.0 % to 3.6 %" in picture.facts
    assert "working sessions proven above 95 %: True" in picture.facts
    healthy = success(working_sessions(), working_sessions())
    assert "Handshakes and sessions agree" in healthy.alt
    assert "working sessions proven above 95 %: False" in healthy.facts


def test_refused_handshakes_count_as_refused() -> None:
    refused = [Session("ada", 0.9, 503, 0.0, 0.91), *broken_sessions(["bob"], each=1)]
    facts = success(refused, working_sessions()).facts
    assert "handshake accepted, broken: 1/2, interval 9.5 % to 90.5 %" in facts
    assert swimlanes(refused, working_sessions()).facts[0] == (
        "broken: 0 events in 2 sessions of 2 users"
    )


def test_latency_of_an_outage_says_that_nothing_came() -> None:
    picture = latency_ecdf(broken_sessions())
    assert "No event arrived" in picture.alt
    assert "agent_started: arrived in 0 of 6 sessions" in picture.facts


def test_without_any_session_the_figures_claim_nothing() -> None:
    assert "No session with the bug, no session without it" in swimlanes([], []).alt
    assert "No event arrived" in latency_ecdf([]).alt
    assert "working sessions proven above 95 %: False" in success([], []).facts
    for picture in (swimlanes([], []), latency_ecdf([]), success([], []), isolation_matrix({})):
        assert picture.png


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 100, 0.0, 0.0370),
        (1, 2, 0.0945, 0.9055),
        (20, 20, 0.8389, 1.0),
        (74, 74, 0.9507, 1.0),
        (100, 100, 0.9630, 1.0),
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"got {successes} of {trials}"):
        wilson(successes, trials)


@pytest.mark.parametrize(
    ("broken", "working", "said"),
    [
        ("x = await f()", "x = f()", "One word too many: “await” raises TypeError"),
        ("x = f()", "x = await f()", "One word missing: without “await” it raises TypeError"),
        ("x = f()", "x = g()", "One word wrong: “f” for “g” raises TypeError"),
    ],
)
def test_one_word_names_the_word_that_differs(broken: str, working: str, said: str) -> None:
    facts = one_word(broken, working, FAILURE, PATH).facts
    assert facts[0] == said
    assert "the server logged the broken line: False" in facts


def test_one_word_completes_the_path_with_the_error() -> None:
    picture = one_word(LINE, LINE.replace("await ", ""), FAILURE, ["client", "create_thing"])
    assert "path: client > create_thing > TypeError" in picture.facts
    assert "the server logged the broken line: True" in picture.facts


@pytest.mark.parametrize(
    ("working", "path", "why"),
    [
        (LINE, PATH, "got 0"),
        ("yield await get_thing(request)", PATH, "got 2"),
        (LINE.replace("await ", ""), ["client"], "a path through create_thing"),
    ],
)
def test_one_word_refuses_what_it_cannot_draw(working: str, path: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        one_word(LINE, working, FAILURE, path)


def test_resume_says_that_nothing_was_lost_only_where_nothing_was() -> None:
    whole = resume(an_interruption())
    assert "not one event lost or doubled" in whole.alt
    assert "runs proven by count and digest: 8 of 8" in whole.facts
    without_two = resume(an_interruption(lost=2))
    assert "2 events lost" in without_two.alt
    assert "the same messages, once each and in order: no" in without_two.facts
    assert "runs proven by count and digest: 7 of 8" in without_two.facts


def test_a_sequence_needs_a_session_that_broke_and_one_that_completed() -> None:
    [broken, *_], [working, *_] = broken_sessions(), working_sessions()
    picture = session_sequence(broken, working, FAILURE)
    assert "handshake 101; raises TypeError; 0 events; close 1011, no reason" in picture.facts[0]
    assert "5 events (agent_started, agent_thinking, " in picture.facts[1]
    for left, right in ((working, working), (broken, broken), (Session("ada", 0.9), working)):
        with pytest.raises(ValueError, match="expected a session"):
            session_sequence(left, right, FAILURE)


def test_fingerprints_say_whether_they_tell_the_failures_apart() -> None:
    different = failures()
    assert fingerprints(different).facts[-1] == "told apart: yes"
    same = dict.fromkeys(different, different["abrupt drop"])
    assert fingerprints(same).facts[-1] == "told apart: no"
    with pytest.raises(ValueError, match="at least one failure"):
        fingerprints({})
