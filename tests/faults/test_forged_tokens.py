"""Tokens that nobody issued: one for each claim and each part, all refused in the same words."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import string
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt
import pytest
from measuring import Measured
from neighbour import FREE, ROOM, talking
from plain_client import Answer, dial, raw_request, read_until, refusal, say
from processes import Server
from scripted_server import SECRET, metric, mint, scripted_server

from netra_ws.settings import Settings

LEEWAY_S = Settings().token_leeway_s
LIFETIME_S = Settings().token_lifetime_s
CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
ALPHABET = string.ascii_letters + string.digits + "-_"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(
    header: dict[str, Any] | None = None, without: str = "", key: str = SECRET, **claims: Any
) -> str:
    """Return a token whose signature is right, whatever its claims say; for a value, `None`."""
    now = time.time()
    good = {"sub": "ann", "iat": now, "nbf": now, "exp": now + 600}
    good |= {"aud": "netra-ws", "iss": "netra-ws-auth", "jti": "token-1"}
    good |= claims
    good.pop(without, None)
    body = json.dumps(good).encode()
    return jwt.PyJWS().encode(body, key, "HS256", header)


def unsigned(algorithm: str, signature: str = "") -> str:
    _, claims, _ = signed().split(".")
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{claims}.{signature}"


def of_two(first: str, second: str) -> str:
    """Return the head and the signature of one token around the claims of another."""
    head, _, signature = first.split(".")
    return f"{head}.{second.split('.')[1]}.{signature}"


def forgeries() -> dict[str, str]:
    """Return tokens by what is wrong with them."""
    now = time.time()
    good = signed()
    head, claims, signature = good.split(".")
    wrong: dict[str, Any] = {
        "exp": [now - LEEWAY_S - 2, str(int(now + 60)), True, None, "soon", 1e400, 10**400],
        "nbf": [now + LEEWAY_S + 600, str(int(now)), True, None, "now", 1e400],
        "iat": [now + LEEWAY_S + 600, str(int(now)), True, None, "now", -1e400, -(10**400)],
        "aud": ["another", ["another"], [], "", None, 7, {"netra-ws": 1}],
        "iss": ["another", ["netra-ws-auth", "another"], "", None, 7],
        "sub": ["service:health", "two words", "", "x" * 129, "x\n", None, 7, ["ann"]],
        "jti": ["", "x" * 129, "x\n", None, 7, ["token-1"]],
    }
    return {
        **{f"without {claim}": signed(without=claim) for claim in CLAIMS},
        **{
            f"{claim}: {number}": signed(**{claim: value})
            for claim, values in wrong.items()
            for number, value in enumerate(values)
        },
        "too long a life": signed(iat=now, exp=now + LIFETIME_S + LEEWAY_S + 600),
        "too long a life, begun long ago": signed(
            iat=now - LIFETIME_S - LEEWAY_S - 5, exp=now + 60
        ),
        "another key": signed(key="another secret of more than thirty-two bytes"),
        "no claims": jwt.PyJWS().encode(b"{}", SECRET, "HS256"),
        "claims that are a list": jwt.PyJWS().encode(b"[]", SECRET, "HS256"),
        "claims that are not JSON": jwt.PyJWS().encode(b"{", SECRET, "HS256"),
        "claims nested deep": jwt.PyJWS().encode(b"[" * 3000, SECRET, "HS256"),
        "HS384": jwt.PyJWS().encode(json.dumps({"sub": "ann"}).encode(), SECRET * 2, "HS384"),
        **{f"alg {name}": unsigned(name) for name in ("none", "None", "NONE", "HS256", "RS256")},
        "alg none, signed": unsigned("none", signature),
        "alg none, signed by itself": signed({"alg": "HS256", "crit": ["exp"]}),
        "header of another algorithm": unsigned("HS512", signature),
        "header with a key of its own": signed({"jwk": {"kty": "oct", "k": "eA"}}, key="x" * 40),
        "header that names a key": signed({"kid": "../../dev/null"}, key="x" * 40),
        "claims of another user": of_two(good, signed(sub="ben")),
        "claims and header swapped": f"{claims}.{head}.{signature}",
        "no signature": f"{head}.{claims}.",
        "two parts": f"{head}.{claims}",
        "four parts": f"{good}.{signature}",
        "an encrypted one": f"{head}..{claims}.{signature}.{signature}",
        "empty parts": "..",
        "one word": "token",
        "a line of 7 kB": "x" * 7000,
    }


def mutations(token: str, count: int | None) -> Iterable[str]:
    """Yield tokens that differ in one character each; with `count` only so many, drawn at random.

    The last character of a part can hold bits that mean nothing (RFC 4648 section 3.5): where
    the bytes are the same the token is, and it is left out here.
    """
    places = range(len(token)) if count is None else random.sample(range(len(token)), count)
    for place in places:
        if token[place] == ".":
            yield token[:place] + token[place + 1 :]
            continue
        other = random.choice(ALPHABET.replace(token[place], ""))
        mutated = token[:place] + other + token[place + 1 :]
        if decoded(mutated) != decoded(token):
            yield mutated


def decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)) for one in token.split(".")]


def said_by(answer: Answer) -> tuple[object, ...]:
    heads = [(name.lower(), value) for name, value in answer.headers.items()]
    return answer.status, answer.body, sorted(head for head in heads if head[0] != "date")


async def renewal_refused(server: Server, tokens: Iterable[str]) -> set[tuple[str, str]]:
    """Return what a connection is told that is to go on under each of these tokens."""
    told = set()
    async with dial(server.backend, mint("ann")) as tab:
        await read_until(tab, "connection_ready")
        for token in tokens:
            await say(tab, {"type": "renew_token", "token": token})
            (error,) = await read_until(tab, "error")
            told.add((error.message["payload"]["code"], error.message["payload"]["message"]))
    return told


@pytest.mark.fault(
    "forged tokens, one per claim",
    promise="401 with one and the same answer; the log says why, and repeats no token",
)
async def test_every_forged_token_is_refused_and_none_is_repeated(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    forged = forgeries()
    tokens = [*forged.values()]
    for _ in range(5 if soak else 1):
        tokens += mutations(mint("ann"), None if soak else 20)
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with dial(server.backend, signed()) as tab:
            await read_until(tab, "connection_ready")  # without a flaw it is let in
        expected = said_by(await refusal(server.backend, None))
        assert expected[0] == 401
        earlier = len(server.log())
        limit = asyncio.Semaphore(8)

        async def answer(token: str) -> tuple[object, ...]:
            async with limit:
                return said_by(await refusal(server.backend, token))

        async with talking(server.backend) as neighbour:
            answers = await asyncio.gather(*map(answer, tokens))
            await neighbour.once_more()
        other = [token for token, said in zip(tokens, answers, strict=True) if said != expected]
        assert other == []
        for token in forged.values():
            status, _ = await raw_request(
                server.backend, "POST /ws/revoke HTTP/1.1", f"Authorization: Bearer {token}"
            )
            assert status == 401
        assert await renewal_refused(server, forged.values()) == {
            ("token_refused", "expected a valid token of the same user")
        }
        lines = server.log()[earlier:]
        assert await metric(server, "handshakes_total", status="401") == len(tokens) + 1
    reasons = [line["reason"] for line in lines]
    assert {line["event"] for line in lines} == {"token refused"}
    assert len(lines) == len(tokens) + 2 * len(forged)
    assert all(reasons)
    log = server.stderr()
    repeated = [
        token
        for token in tokens
        if any(one in log for one in (token, *token.split(".")) if len(one) > 20)
    ]
    assert repeated == []
    measured(
        "{tokens} tokens, {kinds} kinds and {mutations} with one character changed: {refused} "
        "refused with 401 and the same bytes as no token at all; {repeated} repeated in the log; "
        "the neighbour had {neighbour} of {appended} events",
        tokens=len(tokens),
        kinds=len(forged),
        mutations=len(tokens) - len(forged),
        refused=answers.count(expected),
        repeated=len(repeated),
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )
