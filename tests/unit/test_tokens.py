"""Tokens: what they say, and every way in which one is refused."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

import jwt
import pytest
from accounts import LEEWAY_S, LIFETIME_S, SECRET
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_machine import Clock

from netra_ws.auth.tokens import ALGORITHM, AUDIENCE, CLAIMS, ISSUER, Tokens
from netra_ws.context import Claims
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
        "jti": "token-1",
    }
    good |= claims
    good.pop(without, None)
    return jwt.PyJWS().encode(json.dumps(good).encode(), secret, algorithm)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_an_issued_token_gives_back_its_user(own_tokens: Tokens) -> None:
    assert own_tokens.verify(own_tokens.issue("ann")).user_id == "ann"


def test_a_verified_token_says_who_it_is_and_until_when(own_tokens: Tokens) -> None:
    exp = time.time() + 7
    assert own_tokens.verify(forge(jti="x" * 128, exp=exp)) == Claims(
        "ann", "x" * 128, pytest.approx(exp - 7, abs=1), exp
    )


def test_an_issued_token_has_every_claim(own_tokens: Tokens) -> None:
    claims = jwt.decode(own_tokens.issue("ann"), SECRET, [ALGORITHM], audience=AUDIENCE)
    assert set(claims) == {*CLAIMS}
    assert claims["exp"] - claims["iat"] == pytest.approx(LIFETIME_S)


def test_no_two_tokens_are_the_same(own_tokens: Tokens) -> None:
    assert own_tokens.issue("ann") != own_tokens.issue("ann")


def test_a_forged_token_without_a_flaw_is_good(own_tokens: Tokens) -> None:
    assert own_tokens.verify(forge()).user_id == "ann"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_token_without_a_claim_is_refused(own_tokens: Tokens, claim: str) -> None:
    with pytest.raises(TokenError, match=claim):
        own_tokens.verify(forge(without=claim))


BEGAN = time.time()
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
    "an expiry in a string": {"exp": str(int(time.time()) + 30)},
    "an expiry that is true": {"exp": True},
    "an expiry that never comes": {"exp": math.inf},
    "an expiry that is not a number": {"exp": math.nan},
    "an expiry of null": {"exp": None},
    "an expiry of 400 digits": {"exp": 10**400},
    "a lifetime beyond the longest": {"iat": BEGAN, "exp": BEGAN + LIFETIME_S + LEEWAY_S + 1},
    "a lifetime from long ago": {"iat": time.time() - LIFETIME_S - LEEWAY_S},
    "a lifetime from 400 digits ago": {"iat": -(10**400)},
    "a lifetime from ever": {"iat": -math.inf},
    "a start that is no time": {"nbf": "now"},
    "a start in a string": {"nbf": "0"},
    "an issue in a string": {"iat": str(int(time.time()))},
    "an empty token id": {"jti": ""},
    "a token id that is too long": {"jti": "x" * 129},
    "a token id with a newline": {"jti": "x\n"},
    "a number for a token id": {"jti": 7},
    "null for a token id": {"jti": None},
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
    now, inside = time.time(), LEEWAY_S - 20
    for claims in ({"exp": now - inside}, {"nbf": now + inside, "iat": now + inside}):
        assert own_tokens.verify(forge(**claims)).user_id == "ann"


@pytest.mark.guards("token_lifetime_s")
def test_a_lifetime_is_bounded_by_that_of_this_deployment_and_its_leeway(
    own_tokens: Tokens,
) -> None:
    now = time.time()
    longest = LIFETIME_S + LEEWAY_S
    own_tokens.verify(forge(iat=now, exp=now + longest - 1))
    with pytest.raises(TokenError, match=r"lifetime of at most 60 s, got 91 s"):
        own_tokens.verify(forge(iat=now, exp=now + longest + 1))


def test_a_token_for_another_payload_is_refused(own_tokens: Tokens) -> None:
    header, _, signature = own_tokens.issue("ann").split(".")
    payload = own_tokens.issue("bob").split(".")[1]
    with pytest.raises(TokenError):
        own_tokens.verify(f"{header}.{payload}.{signature}")


@pytest.fixture
def revoking() -> Tokens:
    """Tokens of one test: what it revokes concerns no other."""
    return Tokens(SECRET, Settings(token_lifetime_s=LIFETIME_S, token_leeway_s=LEEWAY_S))


def test_a_revoked_token_is_refused(revoking: Tokens) -> None:
    token = revoking.issue("ann")
    assert revoking.revoke(token).user_id == "ann"
    with pytest.raises(TokenError, match=r"^revoked$"):
        revoking.verify(token)
    with pytest.raises(TokenError, match=r"^revoked$"):
        revoking.revoke(token)


def test_a_revocation_concerns_no_other_token_of_its_user(revoking: Tokens) -> None:
    one, other = revoking.issue("ann"), revoking.issue("ann")
    revoked = revoking.revoke(one)
    assert revoking.verify(other).token_id != revoked.token_id


def test_a_token_that_is_not_good_cannot_be_revoked(revoking: Tokens) -> None:
    for token in ("", "token", forge(secret="y" * 32), forge(exp=time.time() - LEEWAY_S - 1)):
        with pytest.raises(TokenError):
            revoking.revoke(token)
    assert len(revoking._revoked) == 0


def test_a_revoked_token_is_refused_within_the_leeway_too(revoking: Tokens) -> None:
    token = forge(exp=time.time() - LEEWAY_S + 20)
    revoking.revoke(token)
    for _ in range(2):
        with pytest.raises(TokenError, match=r"^revoked$"):
            revoking.verify(token)


def test_a_revoked_token_is_forgotten_once_it_would_be_refused_anyway(
    revoking: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting, good = revoking.issue("ann"), revoking.issue("ann")
    until = round(time.time()) + 5
    ending = forge(jti="soon", exp=until)
    revoking.revoke(lasting)
    revoking.revoke(ending)
    ahead = until + LEEWAY_S - time.time()
    for seconds, left in ((ahead - 2, 2), (ahead + 2, 1)):  # it is refused for its age between them
        clocks = time.time() + seconds, time.monotonic() + seconds
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: clocks[0])  # noqa: B023 - called in this turn
            patch.setattr(time, "monotonic", lambda: clocks[1])  # noqa: B023
            revoking.verify(good)
        assert len(revoking._revoked) == left
    with pytest.raises(TokenError, match=r"^revoked$"):
        revoking.verify(lasting)


MALFORMED = {
    "nothing": "",
    "a word": "token",
    "two dots": "..",
    "not base64": "ü.ü.ü",
    "half a surrogate pair": "\ud800",
    "brackets in brackets": f"{base64.urlsafe_b64encode(b'[' * 6000).decode()}.e30.e30",
    "too many brackets": f"{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.e30.e30",
    "a header that is no object": f"{part([])}.{part({})}.",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_token_is_refused(own_tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenError):
        own_tokens.verify(token)


@settings(max_examples=200)
@given(st.text(st.characters(max_codepoint=0x24F)) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*"))
def test_no_text_at_all_is_a_token(own_tokens: Tokens, token: str) -> None:
    with pytest.raises(TokenError):
        own_tokens.verify(token)


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
    assert Tokens("ü" * 16, Settings()).issue("ann")


# Tokens that were seen before


@pytest.mark.parametrize("issued_at", [0.0, 0.75])
@pytest.mark.parametrize("seen_before", [False, True])
def test_a_token_seen_before_is_checked_against_the_clock(
    seen_before: bool, issued_at: float
) -> None:
    """To the second, as PyJWT compares them: being seen makes nothing good for longer."""
    limits = Settings(token_lifetime_s=60.0, token_leeway_s=10.0)
    clock = Clock()
    clock.now = issued_at
    answers = []
    with clock.in_force():
        tokens = Tokens(SECRET, limits)
        token = tokens.issue("ann")
        if seen_before:
            tokens.verify(token)
        for clock.now in (-11, -10, 0, 69, 70, 0):
            try:
                answers.append(tokens.verify(token).user_id)
            except TokenError:
                answers.append("refused")
    assert answers == ["refused", "ann", "ann", "ann", "refused", "ann"]


def test_what_is_remembered_of_tokens_is_bounded_and_no_token() -> None:
    tokens = Tokens(SECRET, Settings(max_connections=3, max_connections_per_user=3))
    issued = [tokens.issue(f"user-{number}") for number in range(5)]
    for token in issued:
        tokens.verify(token)
    assert [claims.user_id for claims in tokens._verified.values()] == [
        "user-2",
        "user-3",
        "user-4",
    ]
    assert all(token.encode() not in repr(tokens._verified).encode() for token in issued)
    assert [tokens.verify(token).user_id for token in issued] == [f"user-{n}" for n in range(5)]


@given(place=st.integers(0, 10_000), character=st.sampled_from("AZaz09-_.="))
def test_a_token_like_one_that_was_seen_is_refused(place: int, character: str) -> None:
    tokens = Tokens(SECRET, Settings())
    token = tokens.issue("ann")
    tokens.verify(token)
    at = place % token.rindex(".")  # the last characters of a signature can stand for the same bits
    other = token[:at] + character + token[at + 1 :]
    if other != token:
        with pytest.raises(TokenError):
            tokens.verify(other)
