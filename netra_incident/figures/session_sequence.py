"""Two sessions side by side: what client and server said to each other, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from matplotlib.axes import Axes

from netra_incident.figures.style import (
    BROKEN,
    FAINT,
    INK,
    MARGIN,
    MARKERS,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    canvas,
    drawing,
    look,
    plural,
)
from netra_incident.measuring.load import Session
from netra_ws.events import EVENT_TYPES

ROW = 0.25
"""Inches from one message to the next."""

HEAD, FOOT = 0.42, 0.12
GAP = 0.35
"""Inches between the two sessions."""

OUT, IN, NOTE = "client to server", "server to client", "at the server"


class Step(NamedTuple):
    """One message and its direction, or what happened at the server; `kind` if it is an event."""

    direction: str
    text: str
    kind: str | None = None


def _close(session: Session) -> str:
    return f"close {session.close_code}, {session.close_reason or 'no reason'}"


def _steps(session: Session, failure: Mapping[str, str] | None) -> list[Step]:
    """Return what the client recorded, in its order, and what the server's log adds.

    Raises `ValueError` unless the handshake was accepted.
    """
    if session.handshake != 101:
        msg = f"expected a session whose handshake was answered 101, got {session.handshake}"
        raise ValueError(msg)
    said = [(session.asked, Step(OUT, "user_message"))]
    kinds = {
        received.text: str(received.event.__struct_config__.tag) for received in session.events
    }
    for at, text in session.frames:
        name = msgspec.json.decode(text)["type"]
        said.append((at, Step(IN, name, kinds.get(text))))
    said.sort(key=lambda one: one[0])
    steps = [Step(OUT, "GET /ws, with a token"), Step(IN, "101 Switching Protocols")]
    steps += [step for _, step in said]
    if failure is not None:
        steps.append(Step(NOTE, f"raises {failure['type']}"))
    by_client = session.close_code == 1000
    steps.append(Step(OUT if by_client else IN, _close(session)))
    return steps


def _draw(
    area: Axes, left: float, top: float, title: str, steps: Sequence[Step], *, works: bool
) -> None:
    color = WORKS if works else BROKEN
    right = left + (WIDTH - 2 * MARGIN - GAP) / 2
    client, server = left + 0.3, right - 0.3
    area.plot(left + 0.06, top - 0.08, "o" if works else "X", color=color, markersize=7)
    area.text(left + 0.2, top - 0.08, title, color=color, weight="bold", va="center")
    for x, name in ((client, "client"), (server, "server")):
        area.text(x, top - 0.29, name, color=QUIET, ha="center", va="center")
        bottom = top - HEAD - ROW * len(steps)
        area.plot((x, x), (top - 0.38, bottom), color=FAINT, linewidth=1.2, zorder=1)
    for number, step in enumerate(steps):
        y = top - HEAD - ROW * (number + 0.75)
        last = number == len(steps) - 1
        shade = color if last or step.kind or step.direction == NOTE else INK
        if step.direction == NOTE:
            area.plot(server, y + 0.06, "X", color=shade, markersize=8, zorder=3)
            area.text(
                server - 0.12,
                y + 0.06,
                step.text,
                color=shade,
                ha="right",
                va="center",
                weight="bold",
            )
            continue
        start, end = (client, server) if step.direction == OUT else (server, client)
        area.annotate(
            "",
            (end, y),
            xytext=(start, y),
            zorder=2,
            arrowprops={"arrowstyle": "-|>", "color": shade, "shrinkA": 0, "shrinkB": 0},
        )
        area.text(
            (client + server) / 2,
            y + 0.03,
            step.text,
            color=shade,
            ha="center",
            va="bottom",
            weight="bold" if last else "normal",
        )
        if step.kind:
            area.plot(server, y, MARKERS[step.kind], color=shade, markersize=6, zorder=3)


def _facts(name: str, session: Session, steps: Sequence[Step]) -> str:
    kinds = [step.kind for step in steps if step.kind]
    shown = f"{plural(len(kinds), 'event')}"
    if kinds:
        shown += f" ({', '.join(kinds)})"
    raised = [f"{step.text}; " for step in steps if step.direction == NOTE]
    return f"{name}: handshake {session.handshake}; {''.join(raised)}{shown}; {_close(session)}"


@look()
def session_sequence(broken: Session, working: Session, failure: Mapping[str, str]) -> Picture:
    """Draw a broken session beside a working one, from what their clients recorded.

    `failure` has the type of the error, as the server's log has it for the broken one. Of the
    messages only their order is drawn, as the client saw it, and not their times. Raises
    `ValueError` if a handshake was not accepted, or unless the working session alone completed.
    """
    if broken.completed or not working.completed:
        msg = "expected a session that did not complete, and one that did"
        raise ValueError(msg)
    sides = ("broken", broken, failure), ("works", working, None)
    steps = [_steps(session, error) for _, session, error in sides]
    rows = max(map(len, steps))
    order = [step.kind for step in steps[1] if step.kind]
    in_order = order == sorted(order, key=EVENT_TYPES.index)
    figure, top = canvas(
        f"Both clients are let in; only one gets its {len(order)} events",
        "one session on each revision, as its client recorded it; time runs down, not to scale; "
        "the error is from the server's log",
        HEAD + ROW * rows + FOOT,
    )
    area = drawing(figure)
    half = (WIDTH - 2 * MARGIN - GAP) / 2
    for number, ((name, session, _), said) in enumerate(zip(sides, steps, strict=True)):
        left = MARGIN + number * (half + GAP)
        _draw(area, left, top, f"{name}: {session.close_code}", said, works=session is working)
    facts = [
        _facts(name, session, said) for (name, session, _), said in zip(sides, steps, strict=True)
    ]
    facts.append(f"events in the order of the grammar: {'yes' if in_order else 'no'}")
    alt = (
        "Two sequence diagrams, each with arrows between a client and a server. "
        f"{'; '.join(facts)}."
    )
    return Picture(figure, facts, alt)
