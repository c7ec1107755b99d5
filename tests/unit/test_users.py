"""Users and their passwords, and the file that lists them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from accounts import Demo
from argon2 import PasswordHasher, extract_parameters

from netra_ws.auth.users import User, UserStore, hash_password, read_users
from netra_ws.errors import ConfigurationError


def demo_hash() -> str:
    # Any argon2 hash will do where no password is checked.
    return "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


POSSIBLE = {
    "the default profile": hash_password("secret"),
    "the more costly profile": demo_hash().replace("m=8,t=1,p=1", "m=2097152,t=1,p=4"),
    "an older version": demo_hash().replace("v=19", "v=16"),
}
IMPOSSIBLE = {
    "4 TB of memory": ("m=8", "m=4194304000"),
    "more than 32 bits": ("m=8", "m=99999999999"),
    "more digits than Python reads": ("m=8", "m=" + "9" * 5000),
    "no memory": ("m=8", "m=0"),
    "too little memory for its lanes": ("p=1", "p=2"),
    "a leading zero": ("m=8", "m=08"),
    "no pass": ("t=1", "t=0"),
    "years of passes": ("t=1", "t=4294967295"),
    "no lane": ("p=1", "p=0"),
    "more lanes than threads": ("m=8,t=1,p=1", "m=4194304,t=1,p=256"),
    "an unknown version": ("v=19", "v=18"),
    "a salt that is not base64": ("c29tZXNhbHQ", "c29tZXNhbHQxx"),
    "a tag with a bit too many": ("aGFzaA", "aGFzaB"),
}


@pytest.mark.parametrize("hashed", POSSIBLE.values(), ids=list(POSSIBLE))
def test_possible_parameters_are_taken(hashed: str) -> None:
    UserStore([User("ann@x", "ann", hashed)])


@pytest.mark.parametrize(("was", "becomes"), IMPOSSIBLE.values(), ids=list(IMPOSSIBLE))
def test_impossible_parameters_are_refused_at_the_start(was: str, becomes: str) -> None:
    hashed = demo_hash()
    assert was in hashed
    head, _, tail = hashed.rpartition(was)
    with pytest.raises(ConfigurationError) as raised:
        UserStore([User("ann@x", "ann", f"{head}{becomes}{tail}")])
    assert str(raised.value) == (
        "user 'ann@x': expected possible parameters in an argon2 hash; "
        "netra-ws hash-password makes one"
    )


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
    "empty": ("", "expected JSON, got nothing"),
    "not JSON": ("email: ann\n", "expected JSON, got something else in line 1, column 1"),
    "an object": (json.dumps(ANN), 'expected a list of {"email", "id", "argon2"}; '),
    "an extra field": (json.dumps([ANN | {"role": "admin"}]), "role"),
    "a missing field": (json.dumps([{"email": "ann@x"}]), "argon2"),
    "a number for an id": (
        json.dumps([ANN | {"id": 7}]),
        'expected a list of {"email", "id", "argon2"}; ',
    ),
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
    assert str(refused.value) == f"users file {path}: {os.strerror(errno.ENOENT)}"


def test_an_unknown_email_costs_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same cost: what argon2 computes for nobody is what it computes for somebody."""
    checked = []
    verify = PasswordHasher.verify

    def recorded(hasher: PasswordHasher, hashed: str, password: str) -> bool:
        checked.append((extract_parameters(hashed), password))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", recorded)
    costly = PasswordHasher(time_cost=3, memory_cost=64, parallelism=1)
    store = UserStore([User("ann@x", "ann", costly.hash("right"))])
    for email in ("ann@x", "nobody@x"):
        assert store.authenticate(email, "wrong") is None
    somebody, nobody = checked
    assert somebody == nobody
    assert somebody[0].time_cost == 3


def test_an_email_is_compared_as_it_is_written(demo: Demo) -> None:
    store, logins = demo
    assert store.authenticate(logins[0].email.upper(), logins[0].password) is None
