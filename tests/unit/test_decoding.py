"""JSON that somebody gave: one fault is said in one way, whoever reads it and with what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from netra_incident.probe.logins import read_logins
from netra_ws.auth.users import read_users
from netra_ws.client.channel import _decoder as server_messages
from netra_ws.decoding import decode
from netra_ws.errors import ConfigurationError, JsonError, JsonShapeError
from netra_ws.messages import decode_client_message
from netra_ws.settings import read_settings

FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected JSON, got nothing"),
    "blanks": (b" \n\t", "expected JSON, got nothing"),
    "cut off": (b'{\n"a": [', "expected JSON, got an early end in line 2, column 7"),
    "words": (b"no JSON", "expected JSON, got something else in line 1, column 1"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "expected JSON, got something else"),
    "two values": (b"{}\n{}", "expected JSON, got something else in line 2, column 1"),
    "half a surrogate pair": (rb'{"\ud800": 1}', "expected JSON, got something else"),
    "a stray byte": (b'{"a": "\xff"}', "expected UTF-8, got something else at byte 7"),
    "a stray byte outside": (b"\xff{}", "expected UTF-8, got something else at byte 0"),
    "half a character": (b'{"a": "\xe2\x82', "expected UTF-8, got something else at byte 7"),
    "UTF-16": ("{}".encode("utf-16"), "expected UTF-8, got something else at byte 0"),
    "a surrogate": (b'{"a": "\xed\xa0\x80"}', "expected UTF-8, got something else at byte 7"),
}
ANYTHING = msgspec.json.Decoder(dict[str, object])


@pytest.mark.parametrize(("data", "words"), FAULTS.values(), ids=list(FAULTS))
def test_what_is_not_json_is_said_in_words_of_our_own(data: bytes, words: str) -> None:
    with pytest.raises(JsonError) as refused:
        decode(data, ANYTHING, "an object")
    assert not isinstance(refused.value, JsonShapeError)
    assert str(refused.value).startswith(words)


READERS: dict[str, Callable[[Path], object]] = {
    "users": read_users,
    "logins": lambda path: read_logins({}, path),
    "settings": read_settings,
}


@pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
@pytest.mark.parametrize("fault", ["nothing", "words", "UTF-16", "a byte order mark"])
def test_every_file_is_refused_in_the_same_words(
    fault: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "given.json"
    data, words = FAULTS[fault]
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as refused:
        read(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("fault", ["nothing", "words", "half a surrogate pair"])
def test_messages_are_refused_in_the_same_words_on_both_sides(fault: str) -> None:
    data, words = FAULTS[fault]
    for read in (decode_client_message, lambda text: decode(text, server_messages, "a message")):
        with pytest.raises(JsonError) as refused:
            read(data.decode())
        assert str(refused.value).startswith(words)


def test_json_of_another_shape_names_what_was_expected_and_the_field() -> None:
    with pytest.raises(JsonShapeError) as refused:
        decode(b'{"a": "b"}', msgspec.json.Decoder(dict[str, int]), "numbers by name")
    assert str(refused.value).startswith("expected numbers by name; ")
    with pytest.raises(JsonShapeError, match=r"^expected user_message, stop_agent, ping or renew"):
        decode_client_message('{"type": "shout"}')


def test_bytes_in_a_field_that_nobody_asked_for_count_too() -> None:
    """msgspec passes over them: the same file would do or not, by what a version reads of it."""
    logins = b'[{"email": "a", "password": "b", "name": "\xe4"}]'
    with pytest.raises(JsonError, match=r"^expected UTF-8"):
        decode(logins, msgspec.json.Decoder(list[dict[str, str]]), "logins")


def test_what_is_nested_too_deep_is_an_error_of_ours() -> None:
    """How deep a Python reads is its own affair: where it reads on, an early end is found."""

    class Nothing(msgspec.Struct):
        pass

    with pytest.raises(JsonError, match=r"^expected JSON, got (some that is nested|an early end)"):
        decode('{"a":' + "[" * 100_000, msgspec.json.Decoder(Nothing), "an object")
