"""Tokens: what they say, and every way in which one is refused."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from accounts import LEEWAY_S, LIFETIME_S, SECRET
from hypothesis import given, settings
from hypothesis import strategies as st

from netra_ws.auth.tokens import ALGORITHM, AUDIENCE, CLAIMS, ISSUER, Tokens
from netra_ws.errors import ConfigurationError, ContextError, TokenError
from netra_ws.settings import Settings


def forge(
    secret: str = SECRET, algorithm: str = ALGORITHM, without: str = "", **claims: Any
) -> str:
    """Return a token that would be good but for what is asked for."""
    now = time.time()
    good = {
        "sub": "ann",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_S,
        "aud": AUDIENCE,
        "iss": ISSUER,
    }
    good |= claims
    good.pop(without, None)
    return jwt.PyJWS().encode(json.dumps(good).encode(), secret, algorithm)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_an_issued_token_gives_back_its_user(own_tokens: Tokens) -> None:
    assert own_tokens.verify(own_tokens.issue("ann")) == "ann"


def test_an_issued_token_has_every_claim(own_tokens: Tokens) -> None:
    claims = jwt.decode(own_tokens.issue("ann"), SECRET, [ALGORITHM], audience=AUDIENCE)
    assert set(claims) == {*CLAIMS, "jti"}
    assert claims["exp"] - claims["iat"] == pytest.approx(LIFETIME_S)


def test_no_two_tokens_are_the_same(own_tokens: Tokens) -> None:
    assert own_tokens.issue("ann") != own_tokens.issue("ann")


def test_a_forged_token_without_a_flaw_is_good(own_tokens: Tokens) -> None:
    assert own_tokens.verify(forge()) == "ann"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_token_without_a_claim_is_refused(own_tokens: Tokens, claim: str) -> None:
    with pytest.raises(TokenError, match=claim):
        own_tokens.verify(forge(without=claim))


FLAWS: dict[str, dict[str, Any]] = {
    "another secret": {"secret": "y" * 32},
    "HS512": {"algorithm": "HS512", "secret": SECRET * 2},
    "HS384": {"algorithm": "HS384", "secret": SECRET * 2},
    "another audience": {"aud": "another"},
    "no audience at all": {"aud": []},
    "another issuer": {"iss": "another"},
    "two issuers": {"iss": [ISSUER, "another"]},
    "expired beyond the leeway": {"exp": time.time() - LEEWAY_S - 1},
    "not yet valid beyond the leeway": {"nbf": time.time() + 1_000_000},
    "issued beyond the leeway in the future": {"iat": time.time() + 1_000_000},
    "an expiry that is no time": {"exp": "soon"},
    "a start that is no time": {"nbf": "now"},
    "a user id with a colon": {"sub": "service:health"},
    "a user id with white space": {"sub": "two words"},
    "an empty user id": {"sub": ""},
    "a user id that is too long": {"sub": "x" * 129},
    "a number for a user id": {"sub": 7},
    "null for a user id": {"sub": None},
    "a list for a user id": {"sub": ["ann"]},
}


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=list(FLAWS))
def test_a_flawed_token_is_refused(own_tokens: Tokens, flaw: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        own_tokens.verify(forge(**flaw))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256"])
def test_an_unsigned_token_is_refused(own_tokens: Tokens, algorithm: str) -> None:
    payload = forge().split(".")[1]
    with pytest.raises(TokenError):
        own_tokens.verify(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{payload}.")


def test_a_token_within_the_leeway_is_good(own_tokens: Tokens) -> None:
    now = time.time()
    assert own_tokens.verify(forge(exp=now - LEEWAY_S + 20)) == "ann"
    assert own_tokens.verify(forge(nbf=now + LEEWAY_S - 20, iat=now + LEEWAY_S - 20)) == "ann"


def test_a_token_for_another_payload_is_refused(own_tokens: Tokens) -> None:
    header, _, signature = own_tokens.issue("ann").split(".")
    payload = own_tokens.issue("bob").split(".")[1]
    with pytest.raises(TokenError):
        own_tokens.verify(f"{header}.{payload}.{signature}")


MALFORMED = {
    "nothing": "",
    "a word": "token",
    "two dots": "..",
    "not base64": "ü.ü.ü",
    "half a surrogate pair": "\ud800",
    "brackets in brackets": f"{base64.urlsafe_b64encode(b'[' * 6000).decode()}.e30.e30",
    "a header that is no object": f"{part([])}.{part({})}.",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_token_is_refused(own_tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenError):
        own_tokens.verify(token)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F)) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*"))
def test_no_text_at_all_is_a_token(own_tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenError):
        own_tokens.verify(token)


@settings(deadline=None)
@given(position=st.integers(0, 10_000), character=st.sampled_from("AZaz09-_"))
def test_a_token_with_another_character_in_its_payload_is_refused(
    own_tokens: Tokens, position: int, character: str
) -> None:
    header, payload, signature = own_tokens.issue("ann").split(".")
    place = position % len(payload)
    altered = payload[:place] + character + payload[place + 1 :]
    if altered == payload:
        return
    with pytest.raises(TokenError):
        own_tokens.verify(f"{header}.{altered}.{signature}")


@pytest.mark.parametrize("user_id", ["service:health", "", "two words", "ann\n"])
def test_no_token_is_issued_for_an_id_no_person_can_have(own_tokens: Tokens, user_id: str) -> None:
    with pytest.raises(ContextError):
        own_tokens.issue(user_id)


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_a_short_secret_is_refused_with_what_to_set(secret: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has {len(secret)} bytes.* NETRA_WS_SECRET"):
        Tokens(secret, Settings())


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Tokens("hunter2", Settings())
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", ["\udcff" * 32, "x" * 32 + "\n"], ids=["bytes", "a newline"])
def test_a_secret_that_is_not_text_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="not text; set NETRA_WS_SECRET"):
        Tokens(secret, Settings())


def test_a_secret_is_measured_in_bytes() -> None:
    assert Tokens("ü" * 16, Settings()).lifetime_s == Settings().token_lifetime_s
