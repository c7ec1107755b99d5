"""The shortcuts around websockets' frames: they say what websockets says, or nothing."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from netra_ws.wire import frames

LIMIT = 70_000
MASK = b"\x01\x80\xfe\x7f"


def opened() -> ServerProtocol:
    """Return the server's protocol after its opening handshake."""
    client = ClientProtocol(parse_uri("ws://localhost/"))
    server = ServerProtocol(max_size=LIMIT)
    client.send_request(client.connect())
    for data in client.data_to_send():
        server.receive_data(data)
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    server.data_to_send()
    assert server.state is State.OPEN
    return server


SIZES = (0, 1, 125, 126, 127, 65_535, 65_536)
messages = st.one_of(
    st.binary(max_size=300), st.sampled_from(SIZES).map(bytes), st.text(max_size=40).map(str.encode)
)


# Writing


@given(st.lists(messages, max_size=5))
def test_what_is_packed_is_what_websockets_sends(sent: list[bytes]) -> None:
    server = opened()
    for message in sent:
        server.send_text(message)
    assert frames.pack(sent) == b"".join(server.data_to_send())


# Reading


def masked(frame: Frame) -> bytes:
    return frame.serialize(mask=True)


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    """Return what a client may send: texts, other messages, fragments, control frames."""
    said: list[Frame] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["text", "text", "binary", "fragments", "ping", "pong"]))
        payload = draw(messages)
        match kind:
            case "text":
                said.append(Frame(Opcode.TEXT, payload))
            case "binary":
                said.append(Frame(Opcode.BINARY, payload))
            case "fragments":
                at = draw(st.integers(0, len(payload)))
                said.append(Frame(Opcode.TEXT, payload[:at], fin=False))
                if draw(st.booleans()):
                    said.append(Frame(Opcode.PING, b"between"))
                said.append(Frame(Opcode.CONT, payload[at:]))
            case _:
                opcode = Opcode.PING if kind == "ping" else Opcode.PONG
                said.append(Frame(opcode, payload[:125]))
    return said


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Cut `data` at places given in thousandths of its length."""
    places = sorted({len(data) * cut // 1000 for cut in cuts} | {0, len(data)})
    for start, end in pairwise(places):
        yield data[start:end]


@given(said=conversations(), cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_however_it_is_cut_what_is_read_is_what_was_sent(
    said: list[Frame], cuts: list[int]
) -> None:
    server = opened()
    heard: list[tuple[Opcode, bytes, bool]] = []
    shortcuts = 0
    boundary = frames.Boundary()
    for piece in pieces(b"".join(map(masked, said)), cuts):
        start = 0
        while start < len(piece):
            if not boundary:
                texts, start = frames.unpack(piece, start, LIMIT)
                heard += [(Opcode.TEXT, text, True) for text in texts]
                shortcuts += len(texts)
            if start < len(piece):
                end = boundary.advance(piece, start)
                server.receive_data(piece[start:end])
                start = end
                events = server.events_received()
                assert len(events) == (not boundary)  # a frame is fed to its end, and no further
                for event in events:
                    assert isinstance(event, Frame)
                    heard.append((event.opcode, bytes(event.data), event.fin))
    assert not boundary
    assert heard == [(frame.opcode, bytes(frame.data), frame.fin) for frame in said]
    if said and not cuts and said[0].opcode is Opcode.TEXT and said[0].fin:
        assert shortcuts or len(said[0].data) >= 65_536


@pytest.mark.parametrize("head", [b"\x81\xfe\x00\x7d", b"\x82\xff" + (65_535).to_bytes(8, "big")])
def test_a_length_that_is_not_in_its_shortest_form_is_an_error(head: bytes) -> None:
    """RFC 6455 section 5.2: the minimal number of bytes MUST be used."""
    with pytest.raises(ValueError, match="shortest form"):
        frames.Boundary().advance(head, 0)


# What it uses of websockets that is not documented


def test_the_end_of_a_protocol_leaves_no_circle() -> None:
    """Fails if a version of websockets keeps its parser elsewhere."""
    gc.disable()
    try:
        server = opened()
        server.receive_data(masked(Frame(Opcode.TEXT, b"hello"))[:4])
        server.receive_eof()
        frames.forget(server, server.close_exc)
        gone = weakref.ref(server)
        del server
        assert gone() is None
    finally:
        gc.enable()


@given(st.binary(max_size=40))
def test_a_mask_is_undone_as_rfc_6455_says(payload: bytes) -> None:
    """Fails if a version of websockets moves `apply_mask`, or gives it other arguments."""
    data = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    assert frames.apply_mask(data, MASK) == payload


NOT_SIMPLE = {
    "binary": masked(Frame(Opcode.BINARY, b"a")),
    "a fragment": masked(Frame(Opcode.TEXT, b"a", fin=False)),
    "a reserved bit": b"\xc1\x81" + MASK + b"a",
    "not masked": Frame(Opcode.TEXT, b"a").serialize(mask=False),
    "a ping": masked(Frame(Opcode.PING, b"a")),
    "a close": masked(Frame(Opcode.CLOSE, b"")),
    "too large": masked(Frame(Opcode.TEXT, bytes(11))),
    "eight bytes of length": b"\x81\xff" + (5).to_bytes(8, "big") + MASK + bytes(5),
    "two bytes too many of length": b"\x81\xfe\x00\x05" + MASK + bytes(5),
    "half a head": b"\x81\x85\x01",
    "half a longer head": b"\x81\xfe\x01\x00\x01\x02",
    "half a text": masked(Frame(Opcode.TEXT, b"abc"))[:-1],
    "an unknown opcode": b"\x83\x80" + MASK,
    "nothing": b"",
}


@pytest.mark.parametrize("data", NOT_SIMPLE.values(), ids=list(NOT_SIMPLE))
def test_whatever_is_not_a_whole_text_is_left_to_websockets(data: bytes) -> None:
    whole = masked(Frame(Opcode.TEXT, b"hello"))
    assert frames.unpack(data, 0, 10) == ([], 0)
    assert frames.unpack(whole + data, 0, 10) == ([b"hello"], len(whole))
