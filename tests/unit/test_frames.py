"""The shortcuts around websockets' frames: they say what websockets says, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from netra_ws.wire import frames

LIMIT = 70_000
MASK = b"\x01\x80\xfe\x7f"


def opened(extensions: list[ServerPerMessageDeflateFactory] | None = None) -> ServerProtocol:
    """Return the server's protocol after its opening handshake."""
    client = ClientProtocol(
        parse_uri("ws://localhost/"),
        extensions=[ClientPerMessageDeflateFactory()] if extensions else None,
    )
    server = ServerProtocol(max_size=LIMIT, extensions=extensions)
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


def test_nothing_is_written_between_the_fragments_of_a_message() -> None:
    server = opened()
    assert frames.may_write(server)
    server.send_text(b"first", fin=False)
    assert not frames.may_write(server)
    server.send_ping(b"")
    assert not frames.may_write(server)
    server.send_continuation(b"last", fin=True)
    assert frames.may_write(server)


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
    for piece in pieces(b"".join(map(masked, said)), cuts):
        rest = piece
        if frames.between_messages(server):
            texts, end = frames.unpack(piece, LIMIT)
            heard += [(Opcode.TEXT, text, True) for text in texts]
            shortcuts += len(texts)
            rest = piece[end:]
        if rest:
            server.receive_data(rest)
            for event in server.events_received():
                assert isinstance(event, Frame)
                heard.append((event.opcode, bytes(event.data), event.fin))
    assert heard == [(frame.opcode, bytes(frame.data), frame.fin) for frame in said]
    if said and not cuts and said[0].opcode is Opcode.TEXT and said[0].fin:
        assert shortcuts or len(said[0].data) >= 65_536


def test_a_text_at_a_boundary_is_read_without_websockets() -> None:
    """Fails if a version of websockets waits elsewhere: all would still be right, but slow."""
    server = opened()
    for _ in range(2):
        assert frames.between_messages(server)
        data = masked(Frame(Opcode.TEXT, b"hello"))
        assert frames.unpack(data, LIMIT) == ([b"hello"], len(data))
        server.receive_data(masked(Frame(Opcode.BINARY, b"by websockets")))
        server.events_received()


@pytest.mark.parametrize("size", range(1, 7))
def test_inside_a_frame_is_not_between_messages(size: int) -> None:
    server = opened()
    data = masked(Frame(Opcode.TEXT, b"a"))
    server.receive_data(data[:size])
    assert not frames.between_messages(server) or size == len(data)
    server.receive_data(data[size:])
    assert frames.between_messages(server)


def test_between_fragments_is_not_between_messages() -> None:
    server = opened()
    server.receive_data(masked(Frame(Opcode.TEXT, b"a", fin=False)))
    assert not frames.between_messages(server)
    server.receive_data(masked(Frame(Opcode.CONT, b"b")))
    assert frames.between_messages(server)


def test_after_a_close_there_is_no_shortcut() -> None:
    for close in (lambda one: one.send_close(1000), lambda one: one.fail(1002)):
        server = opened()
        close(server)
        assert not frames.between_messages(server)


def test_with_an_extension_there_is_no_shortcut() -> None:
    assert not frames.between_messages(opened([ServerPerMessageDeflateFactory()]))


NOT_SIMPLE = {
    "binary": masked(Frame(Opcode.BINARY, b"a")),
    "a fragment": masked(Frame(Opcode.TEXT, b"a", fin=False)),
    "a reserved bit": b"\xc1\x81" + MASK + b"a",
    "not masked": Frame(Opcode.TEXT, b"a").serialize(mask=False),
    "a ping": masked(Frame(Opcode.PING, b"a")),
    "a close": masked(Frame(Opcode.CLOSE, b"")),
    "too large": masked(Frame(Opcode.TEXT, bytes(11))),
    "eight bytes of length": b"\x81\xff" + (5).to_bytes(8, "big") + MASK + bytes(5),
    "half a head": b"\x81\x85\x01",
    "half a longer head": b"\x81\xfe\x01\x00\x01\x02",
    "half a text": masked(Frame(Opcode.TEXT, b"abc"))[:-1],
    "an unknown opcode": b"\x83\x80" + MASK,
    "nothing": b"",
}


@pytest.mark.parametrize("data", NOT_SIMPLE.values(), ids=list(NOT_SIMPLE))
def test_whatever_is_not_a_whole_text_is_left_to_websockets(data: bytes) -> None:
    whole = masked(Frame(Opcode.TEXT, b"hello"))
    assert frames.unpack(data, 10) == ([], 0)
    assert frames.unpack(whole + data, 10) == ([b"hello"], len(whole))
