"""JSON that is deep, huge, not a number or not UTF-8: a typed error each, or 1007."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from accounting import balance, whole_log
from frames import TEXT, Peer, peer
from measuring import Measured
from memory import Memory
from neighbour import FREE, ROOM, talking
from offender import Offence, bearer, offences, user_message
from scripted_server import scripted_server

from netra_ws.settings import Settings

BINARY = 2
LARGEST = Settings().max_message_bytes
DEEP = LARGEST // 2 - 100
SPARE_MIB = 16.0
"""What the process may take in the meantime for other reasons, the logs of all runs included."""


def said(content: bytes) -> bytes:
    """Return a `user_message` with this as its content."""
    return b'{"type":"user_message","content":' + content + b"}"


NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "open objects": b'{"a":' * (LARGEST // 5),
    "NaN": said(b"NaN"),
    "Infinity": said(b"-Infinity"),
    "a leading zero": said(b"007"),
    "a byte order mark": b"\xef\xbb\xbf" + said(b'"x"'),
    "a lone surrogate, escaped": said(rb'"\ud800"'),
    "a control character": said(b'"\0"'),
    "two values": said(b'"x"') * 2,
    "single quotes": b"{'type': 'ping'}",
}
NOT_OURS: dict[str, bytes] = {
    "a number without end": said(b"1" * (LARGEST - 100) + b"x"),
    "open arrays": b"[" * LARGEST,
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "a deep content": said(b"[" * DEEP + b"]" * DEEP),
    "a deep unknown field": b'{"type":"ping","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": said(b'{"a":' * (DEEP // 4) + b"1" + b"}" * (DEEP // 4)),
    "a huge number": said(b"1" * (LARGEST - 100)),
    "a huge exponent": said(b"1e999999999"),
    "minus nothing": said(b"-0.0"),
    "null": b"null",
    "another type": b'{"type":"' + b"x" * (LARGEST - 100) + b'"}',
    "a type twice": b'{"type":"ping","type":"user_message"}',
    "thousands of fields": b'{"type":"ping"' + b',"x":0' * 4000 + b"}",
}
NOT_UTF_8: dict[str, bytes] = {
    "a stray byte": said(b'"\xff"'),
    "half a character": said(b'"\xe2\x82"'),
    "an overlong slash": said(b'"\xc0\xaf"'),
    "a surrogate": said(b'"\xed\xa0\x80"'),
    "past the last character": said(b'"\xf4\x90\x80\x80"'),
    "UTF-16": said(b'"x"').decode().encode("utf-16"),
}


NOT_TEXT = b'{"type":"ping"}'
EXPECTED = {
    "invalid_json": list(NOT_JSON.values()),
    "invalid_message": list(NOT_OURS.values()),
}


async def answers(backend: str, user: str) -> tuple[list[str], int]:
    """Send all that is answered on one connection; return the codes, and the events of its runs."""
    offence, codes = Offence(user), []
    messages = [(TEXT, one) for group in EXPECTED.values() for one in group]
    async with peer(backend, bearer(user)) as ann:
        await offence.until(ann, "connection_ready")
        for opcode, message in [*messages, (BINARY, NOT_TEXT)]:
            ann.send(TEXT, user_message(["think", 3, 0.001]))
            await offence.until(ann, "agent_started")
            ann.send(opcode, message)
            codes.append((await offence.until(ann, "error"))["payload"]["code"])
            await offence.until_quiet(ann)
        ann.send(TEXT, NOT_TEXT)
        await offence.until(ann, "pong")
    log = await whole_log(backend, user, offence.place["epoch"])
    whole = balance(log, offence.items)
    assert whole.exact, whole
    assert len(log) == 5 * len(codes)
    return codes, whole.delivered


def text(data: bytes) -> Callable[[Peer], object]:
    return lambda ann: ann.send(TEXT, data)


@pytest.mark.fault(
    "JSON that is deep, huge, NaN or not UTF-8",
    promise="a typed error, and the connection lives on; 1007 for what is not UTF-8",
)
async def test_odd_json_is_a_typed_error_or_1007(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 20 if soak else 1
    acts = {
        f"{name.replace(' ', '-')}-{number}": text(data)
        for number in range(rounds)
        for name, data in NOT_UTF_8.items()
    }
    expected = [code for code, group in EXPECTED.items() for _ in group] + ["binary_message"]
    events = 0
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            memory = Memory(server.process.pid)
            for number in range(rounds):
                codes, delivered = await answers(server.backend, f"ann-{number}")
                assert codes == expected
                events += delivered
            closed, delivered = await offences(server.backend, acts)
            grown_mib = memory.grown_mib
            await neighbour.once_more()
        assert "Traceback" not in server.stderr()
    assert Counter(closed.values()) == {1007: len(acts)}
    assert grown_mib < SPARE_MIB
    measured(
        "{answered} of {answered} answered with the typed error that is documented, on "
        "{connections} connections that lived on; {closed} of {closed} not UTF-8 closed with 1007; "
        "the server grew by {grown_mib:.1f} MiB; {events:,} of {events:,} events delivered; "
        "the neighbour had {neighbour:,} of {neighbour_appended:,}",
        answered=rounds * len(expected),
        connections=rounds,
        closed=len(acts),
        grown_mib=grown_mib,
        events=events + delivered,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )
