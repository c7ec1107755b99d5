"""Who may connect: tokens, users and their passwords, and the login service on a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netra_ws.auth.service import AuthService
from netra_ws.auth.tokens import ALGORITHM, AUDIENCE, CLAIMS, ISSUER, Tokens
from netra_ws.auth.users import (
    DemoUser,
    User,
    UserStore,
    hash_password,
    make_demo_users,
    read_users,
)
from netra_ws.client import login
from netra_ws.errors import ConfigurationError, ContextError, LoginError, TokenError
from netra_ws.settings import Settings
from netra_ws.urls import base_url

SECRET = "x" * 32
LEEWAY_S = 30.0
LIFETIME_S = 60.0


@pytest.fixture(scope="module")
def own_tokens() -> Tokens:
    """Tokens with a known secret, lifetime and leeway."""
    return Tokens(SECRET, Settings(token_lifetime_s=LIFETIME_S, token_leeway_s=LEEWAY_S))


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


# Tokens


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


# Users


def demo_hash() -> str:
    # Any argon2 hash will do where no password is checked.
    return "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


@pytest.fixture(scope="module")
def demo() -> tuple[UserStore, list[DemoUser]]:
    """Three demo users; their hashes are quick to check."""
    return make_demo_users(3)


Demo = tuple[UserStore, list[DemoUser]]


def test_the_right_password_gives_the_user(demo: Demo) -> None:
    store, logins = demo
    users = [store.authenticate(login.email, login.password) for login in logins]
    assert [user.id for user in users if user] == ["user1", "user2", "user3"]


def test_a_wrong_password_gives_nobody(demo: Demo) -> None:
    store, logins = demo
    assert store.authenticate(logins[0].email, logins[0].password + "x") is None


def test_anothers_password_gives_nobody(demo: Demo) -> None:
    store, logins = demo
    assert store.authenticate(logins[0].email, logins[1].password) is None


def test_an_unknown_email_gives_nobody_even_with_somebodys_password(demo: Demo) -> None:
    store, logins = demo
    assert store.authenticate("nobody@demo.example", logins[0].password) is None


def test_a_store_without_users_knows_nobody() -> None:
    assert UserStore([]).authenticate("ann@demo.example", "") is None


def test_demo_users_have_different_passwords(demo: Demo) -> None:
    _, logins = demo
    assert len({login.password for login in logins}) == 3


def test_a_hashed_password_is_salted() -> None:
    one, other = hash_password("secret"), hash_password("secret")
    assert one != other
    assert one.startswith("$argon2id$")
    assert "secret" not in one


def test_a_doubled_email_is_refused() -> None:
    users = [User("ann@x", "ann", demo_hash()), User("ann@x", "bob", demo_hash())]
    with pytest.raises(ConfigurationError, match="'ann@x': that email or id is there twice"):
        UserStore(users)


def test_a_doubled_id_is_refused() -> None:
    users = [User("ann@x", "ann", demo_hash()), User("bob@x", "ann", demo_hash())]
    with pytest.raises(ConfigurationError, match="'bob@x': that email or id is there twice"):
        UserStore(users)


@pytest.mark.parametrize("user_id", ["service:health", "", "two words"])
def test_an_id_no_person_can_have_is_refused(user_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^user 'ann@x': user_id: expected"):
        UserStore([User("ann@x", user_id, demo_hash())])


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "secret",
        "$argon2id$",
        "$2b$12$bcrypt",
        "$argon2id$v=19$m=x,t=1,p=1$a$b",
        demo_hash()[:-8],
        "ü",
    ],
)
def test_a_broken_hash_is_refused_without_repeating_it(broken: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        UserStore([User("ann@x", "ann", broken)])
    assert str(refused.value) == (
        "user 'ann@x': expected an argon2 hash; netra-ws hash-password makes one"
    )


def test_a_users_file_gives_its_users(tmp_path: Path) -> None:
    hashed = hash_password("a good password")
    path = tmp_path / "users.json"
    path.write_text(json.dumps([{"email": "ann@x", "id": "ann", "argon2": hashed}]))
    user = read_users(path).authenticate("ann@x", "a good password")
    assert user is not None
    assert user.id == "ann"


ANN = {"email": "ann@x", "id": "ann", "argon2": demo_hash()}
BROKEN_FILES = {
    "empty": ("", "truncated"),
    "not JSON": ("email: ann\n", "malformed"),
    "an object": (json.dumps(ANN), "Expected `array`"),
    "an extra field": (json.dumps([ANN | {"role": "admin"}]), "unknown field `role`"),
    "a missing field": (json.dumps([{"email": "ann@x"}]), "missing required field"),
    "a number for an id": (json.dumps([ANN | {"id": 7}]), "Expected `str`"),
    "a doubled user": (json.dumps([ANN, ANN]), "twice"),
    "a password for a hash": (json.dumps([ANN | {"argon2": "secret"}]), "hash-password"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN_FILES.values(), ids=list(BROKEN_FILES))
def test_a_broken_users_file_is_one_line_with_its_reason(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "users.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        read_users(path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"users file {path}: ")
    assert reason in line


def test_a_users_file_that_is_not_utf_8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(json.dumps([ANN]).replace("ann@x", "\xe4nn@x").encode("latin-1"))
    with pytest.raises(ConfigurationError) as refused:
        read_users(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_users_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    with pytest.raises(ConfigurationError) as refused:
        read_users(path)
    assert str(refused.value) == f"users file {path}: No such file or directory"


# The login service


@pytest.fixture
async def service(demo: Demo, own_tokens: Tokens) -> AsyncIterator[AuthService]:
    """The login service, listening on a port of the system's choice."""
    async with AuthService(demo[0], own_tokens, "127.0.0.1", 0) as listening:
        yield listening


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that does not wait forever."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


Http = aiohttp.ClientSession


async def test_a_login_has_the_shape_of_the_contract(
    service: AuthService, http: Http, demo: Demo, own_tokens: Tokens
) -> None:
    email, password = demo[1][1].email, demo[1][1].password
    body = {"email": email, "password": password}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        login = await answer.json()
    assert list(login) == ["access_token", "token_type", "expires_in", "user"]
    assert (login["token_type"], login["expires_in"]) == ("Bearer", int(LIFETIME_S))
    assert login["user"] == {"id": "user2", "email": email}
    assert own_tokens.verify(login["access_token"]) == "user2"


WRONG = {
    "a wrong password": ("user1@demo.example", "wrong"),
    "an unknown email": ("nobody@demo.example", "wrong"),
    "nothing": ("", ""),
    "a null byte": ("user1@demo.example\0", "\0"),
    "signs outside of ASCII": ("üser@demo.example", "pässword \U0001f600"),
}


@pytest.mark.parametrize(("email", "password"), WRONG.values(), ids=list(WRONG))
async def test_a_wrong_login_is_401_and_does_not_say_what_was_wrong(
    service: AuthService, http: Http, email: str, password: str
) -> None:
    body = {"email": email, "password": password}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read()) == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "wrong email or password",
        }


@pytest.mark.parametrize("missing", ["email", "password"])
async def test_a_missing_field_is_422_and_named(
    service: AuthService, http: Http, missing: str
) -> None:
    body = {"email": "ann@x", "password": "secret"}
    del body[missing]
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 422
        assert answer.content_type == "application/problem+json"
        assert missing in json.loads(await answer.read())["detail"]


UNREADABLE = {
    "nothing": b"",
    "not JSON": b"email=ann",
    "not UTF-8": b'{"email": "\xe4", "password": "x"}',
    "a list": b"[]",
    "a number for an email": b'{"email": 7, "password": "x"}',
    "half a surrogate pair": b'{"email": "\\ud800", "password": "x"}',
    "a password of 2 KiB": json.dumps({"email": "a", "password": "x" * 2048}).encode(),
    "brackets in brackets": b'{"email": "a", "password": "b", "more": ' + b"[" * 60_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
async def test_a_body_that_is_no_login_is_422(
    service: AuthService, http: Http, body: bytes
) -> None:
    async with http.post(f"{service.url}/auth/login", data=body) as answer:
        assert answer.status == 422
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 422


async def test_a_body_above_the_limit_is_413(service: AuthService, http: Http) -> None:
    async with http.post(f"{service.url}/auth/login", data=b" " * 70_000) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 413


async def test_another_method_is_405_and_another_path_404(service: AuthService, http: Http) -> None:
    async with http.get(f"{service.url}/auth/login") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 405
    async with http.get(f"{service.url}/auth") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 404


@pytest.mark.parametrize("path", ["/auth/login", "/nothing"])
async def test_no_answer_names_the_software(
    service: AuthService, fetch: Callable[..., Awaitable[Any]], path: str
) -> None:
    for method in ("GET", "POST"):
        answer = await fetch(service.url, path, method=method)
        assert not {"server", "x-powered-by"} & set(answer.headers)
        assert b"aiohttp" not in answer.body


async def test_a_refused_login_is_logged_without_its_password(
    service: AuthService, http: Http, log_lines: list[dict[str, Any]]
) -> None:
    body = {"email": "ann@x\n{}", "password": "hunter2"}
    async with http.post(f"{service.url}/auth/login", json=body) as answer:
        assert answer.status == 401
    assert [line["event"] for line in log_lines] == ["login refused"]
    assert "hunter2" not in str(log_lines)


async def test_a_port_in_use_is_a_configuration_error(
    service: AuthService, demo: Demo, own_tokens: Tokens
) -> None:
    port = int(service.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}: .*--a"):
        async with AuthService(demo[0], own_tokens, "127.0.0.1", port):
            pass


# The client's side of a login


async def test_the_client_logs_in(service: AuthService, demo: Demo) -> None:
    answer = await login(service.url, demo[1][0].email, demo[1][0].password)
    assert answer.user.id == "user1"


async def test_the_client_says_that_a_login_was_refused(service: AuthService) -> None:
    with pytest.raises(LoginError, match=r"answered 401.* check email and password") as refused:
        await login(service.url, "user1@demo.example", "wrong")
    assert refused.value.status == 401


async def test_the_client_says_that_nobody_listens(service: AuthService) -> None:
    url = service.url
    await service.__aexit__(None, None, None)
    with pytest.raises(LoginError, match=r"is the login service running") as refused:
        await login(url, "user1@demo.example", "wrong")
    assert refused.value.status is None


async def test_the_client_says_that_an_answer_is_not_utf_8() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        body = b'{"access_token": "\xe4"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = base_url(*server.sockets[0].getsockname())
        with pytest.raises(LoginError, match=r"something that is not a login") as refused:
            await login(url, "user1@demo.example", "right")
    assert refused.value.status == 200
