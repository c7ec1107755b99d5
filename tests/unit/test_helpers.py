"""The small pure functions: positions, tokens in headers, addresses, words for an exception."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers

from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.errors import CloseCode, IncompleteRun, TokenError
from netra_ws.event_log import START, Position
from netra_ws.serving.handshake import bearer_token, choose_subprotocol, requested_position
from netra_ws.serving.logs import describe_exception
from netra_ws.wire.urls import base_url, is_loopback

# The position in a query


@pytest.mark.parametrize("query", ["", "other=1", "Epoch=E&SEQ=1"])
def test_a_query_without_a_position_asks_for_none(query: str) -> None:
    assert requested_position(query) is None


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("epoch=E&seq=0", Position("E", 0)),
        ("seq=17&epoch=E", Position("E", 17)),
        ("epoch=a%26b%3Dc&seq=1", Position("a&b=c", 1)),
        ("epoch=E&seq=1&other=2", Position("E", 1)),
        ("seq=0", START),
        ("other=1&seq=0", START),
    ],
)
def test_a_position_is_read_from_a_query(query: str, position: Position) -> None:
    assert requested_position(query) == position


@pytest.mark.parametrize(
    "query",
    [
        "epoch=E",
        "seq=1",
        "epoch=&seq=1",
        "epoch=&seq=0",
        "seq=0&seq=0",
        "seq=-0",
        "epoch=E&seq=",
        "epoch=E&seq=-1",
        "epoch=E&seq=x",
        "epoch=E&seq=1.0",
        "epoch=E&seq=1&seq=2",
        "epoch=E&epoch=F&seq=1",
        "epoch=E&seq=" + "9" * 5000,
    ],
)
def test_half_a_position_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="expected both epoch and a seq of 0 or more"):
        requested_position(query)


@given(st.text())
def test_any_query_is_a_position_or_none_or_refused(query: str) -> None:
    try:
        position = requested_position(query)
    except ValueError:
        return
    assert position is None or position.seq >= 0


# The token in the headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer TOKEN"),
        ("Authorization", "bearer TOKEN"),
        ("Authorization", "Bearer   TOKEN "),
        ("Sec-WebSocket-Protocol", "netra.v1, bearer.TOKEN"),
        ("Sec-WebSocket-Protocol", "bearer.TOKEN,netra.v1"),
        ("Sec-WebSocket-Protocol", "bearer.TOKEN"),
    ],
)
def test_the_token_is_found_in_either_header(name: str, value: str) -> None:
    assert bearer_token(Headers({name: value})) == "TOKEN"


def test_the_token_is_found_in_the_second_of_two_protocol_headers() -> None:
    headers = Headers()
    headers["Sec-WebSocket-Protocol"] = "netra.v1"
    headers["Sec-WebSocket-Protocol"] = "bearer.TOKEN"
    assert bearer_token(headers) == "TOKEN"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", ""),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer "),
        ("Authorization", "Basic TOKEN"),
        ("Authorization", "TOKEN"),
        ("Sec-WebSocket-Protocol", "netra.v1"),
        ("Cookie", "bearer.TOKEN"),
    ],
)
def test_no_token_is_said_to_be_missing(name: str, value: str) -> None:
    with pytest.raises(TokenError, match="no bearer token"):
        bearer_token(Headers({name: value}))


def test_two_tokens_are_none() -> None:
    headers = Headers()
    headers["Authorization"] = "Bearer TOKEN"
    headers["Authorization"] = "Bearer ANOTHER"
    with pytest.raises(TokenError, match="more than one Authorization header"):
        bearer_token(headers)


@pytest.mark.parametrize("offered", [[], ["bearer.TOKEN"], ["netra.v2"]])
def test_no_other_subprotocol_is_chosen(offered: list[str]) -> None:
    headers = Headers({"Sec-WebSocket-Protocol": ", ".join(offered)} if offered else {})
    assert choose_subprotocol(headers) is None


# Addresses


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_an_address_is_printed_as_a_url(host: str, url: str) -> None:
    assert base_url(host, 80) == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example"])
def test_what_others_can_reach_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


# Exceptions


def caught(error: type[Exception]) -> Exception:
    try:
        if error is IncompleteRun:
            ReceivedRun().verify()
        UserExecutionContext("")
    except error as raised:
        return raised
    raise AssertionError(error)


def test_an_exception_is_described_by_its_place_in_the_package() -> None:
    error = caught(IncompleteRun)
    described = describe_exception(error)
    assert described["type"] == "IncompleteRun"
    assert described["message"] == str(error)
    assert described["where"].startswith("netra_ws/client/run.py:")
    assert described["function"] == "verify"
    assert described["line"].startswith("raise IncompleteRun(")


def test_the_innermost_line_of_the_package_is_the_place() -> None:
    assert describe_exception(caught(ValueError))["function"] == "check_id"


def test_an_exception_from_elsewhere_has_no_place() -> None:
    try:
        logging.getLogger().setLevel("nonsense")
    except ValueError as error:
        described = describe_exception(error)
    assert described == {"type": "ValueError", "message": "Unknown level: 'nonsense'"}


def test_an_exception_that_was_not_raised_has_no_place() -> None:
    assert describe_exception(KeyError("k")) == {"type": "KeyError", "message": "'k'"}


# Close codes


def test_a_close_code_tells_whether_to_reconnect() -> None:
    private = [code for code in CloseCode if code >= 4000]
    assert all(("reconnect" in code.meaning) == (code < 4500) for code in private)


def test_every_close_code_has_a_meaning_of_its_own() -> None:
    assert len({code.meaning for code in CloseCode}) == len(CloseCode)
