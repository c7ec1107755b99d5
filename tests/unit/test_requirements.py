"""The lock, what pyproject.toml asks for, and the settings of pip that a set-up keeps to."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import environment
import lock
import pytest
import sources
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from await_audit.engines.known import TESTED

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN = "netra_ws"


def asked_for(*extras: str) -> list[Requirement]:
    """Return what the project asks for with these extras, its own extras followed."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    waiting, seen = list(extras), set(extras)
    while waiting:
        for line in PROJECT["optional-dependencies"][waiting.pop()]:
            one = Requirement(line)
            if one.name == OWN:
                waiting += one.extras - seen
                seen |= one.extras
            else:
                found.append(one)
    return found


def named_by_the_project(path: Path) -> set[str]:
    """Return the packages that a lock holds because the project itself asks for them."""
    blocks = re.split(r"^(?=\S)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    direct = (block for block in blocks if "netra-ws (pyproject.toml)" in block)
    return {canonicalize_name(block.partition("==")[0]) for block in direct}


LOCKS = pytest.mark.parametrize(("path", "extra"), [(lock.DEV, "dev"), (lock.SERVE, "serve")])


@LOCKS
def test_the_lock_has_what_the_project_asks_for_and_nothing_that_it_no_longer_does(path, extra):
    asked = {canonicalize_name(one.name) for one in asked_for(extra)}
    assert named_by_the_project(path) == asked, "make lock"


@LOCKS
def test_every_locked_version_is_one_that_the_project_allows(path, extra):
    locked = {}
    for line in lock.read_lock(path):
        locked.setdefault(canonicalize_name(line.name), []).append(lock.version_of(line))
    for one in asked_for(extra):
        versions = locked[canonicalize_name(one.name)]
        assert all(map(one.specifier.contains, versions)), f"{one} is locked as {versions}"


def test_the_backend_alone_gets_the_same_versions():
    everything = {(one.name, str(one.specifier)) for one in lock.read_lock(lock.DEV)}
    backend = {(one.name, str(one.specifier)) for one in lock.read_lock(lock.SERVE)}
    assert backend < everything


def test_the_lock_holds_what_builds_the_project_without_isolation():
    names = {one.name for one in lock.read_lock()}
    assert {"hatchling", "editables"} <= names


@LOCKS
def test_the_lock_names_no_index_and_every_line_has_a_hash(path, extra):
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert len(blocks) == len(lock.read_lock(path))


@LOCKS
def test_no_python_is_told_two_versions_of_a_package(path, extra):
    alike: dict[str, list[Requirement]] = {}
    for line in lock.read_lock(path):
        alike.setdefault(line.name, []).append(line)
    for lines in alike.values():
        for version in ("3.11.0", "3.11.99", "3.12.0", "3.13.0", "3.14.0", "3.14.99"):
            environ = {"python_full_version": version, "python_version": version[:4]}
            here = [line for line in lines if line.marker is None or line.marker.evaluate(environ)]
            assert len(here) <= 1, version


def test_versions_are_pinned_in_the_lock_alone():
    for one in asked_for(*PROJECT["optional-dependencies"]):
        assert {specifier.operator for specifier in one.specifier} == {">="}, one


def test_the_audit_names_the_type_checkers_of_the_lock_as_tested():
    locked = {one.name: lock.version_of(one) for one in lock.read_lock()}
    assert {name: locked[name] for name in TESTED} == TESTED


def test_what_moved_is_a_line_a_package():
    moved = lock.differences({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert moved == ["b: 1 -> 2", "c: 1 -> none", "d: none -> 1"]


LISTED = """\
:env:.disable-pip-version-check='1'
:env:.find-links='/wheels other'
:env:.index-url='https://user:secret@right.example/simple'
:env:.target='/elsewhere'
download.timeout='of another command'
global.cert='/etc/ssl/own certificates.crt'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.index-url='https://wrong.example/simple'
global.user='true'
install.constraint='/constraints.txt'
"""
"""As `pip config list` prints it: sorted, and so from the strongest to the weakest."""

SETTINGS = {
    "cert": "/etc/ssl/own certificates.crt",
    "extra-index-url": "https://one.example/simple https://two.example/simple",
    "find-links": "/wheels other",
    "index-url": "https://user:secret@right.example/simple",
}
PERSON = {"PATH": "/bin", "PIP_TARGET": "/elsewhere", "UV_CACHE_DIR": "/cache", "UV_TARGET": "/x"}


def test_what_a_person_told_pip_of_packages_counts_and_the_strongest_word_of_it():
    assert sources.pip_settings(LISTED) == SETTINGS


def test_pip_is_told_that_and_nothing_else():
    assert sources.pip_environment(SETTINGS, PERSON) == {
        "PATH": "/bin",
        "PIP_CERT": "/etc/ssl/own certificates.crt",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
        "PIP_FIND_LINKS": "/wheels other",
        "PIP_INDEX_URL": "https://user:secret@right.example/simple",
        "UV_CACHE_DIR": "/cache",
        "UV_TARGET": "/x",
    }


def test_uv_is_told_what_pip_is_told():
    assert sources.uv_environment(SETTINGS, PERSON) == {
        "PATH": "/bin",
        "PIP_TARGET": "/elsewhere",
        "SSL_CERT_FILE": "/etc/ssl/own certificates.crt",
        "UV_CACHE_DIR": "/cache",
        "UV_DEFAULT_INDEX": "https://user:secret@right.example/simple",
        "UV_FIND_LINKS": "/wheels,other",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_CONFIG": "1",
    }


def test_certificates_of_requests_are_those_of_uv_but_its_own_come_first():
    bundle = {"REQUESTS_CA_BUNDLE": "/own.crt"}
    assert sources.uv_environment({}, bundle)["SSL_CERT_FILE"] == "/own.crt"
    told = sources.uv_environment({}, bundle | {"SSL_CERT_FILE": "/uv.crt"})
    assert told["SSL_CERT_FILE"] == "/uv.crt"


@pytest.mark.parametrize("name", ["keyring-provider", "no-index", "use-feature"])
def test_where_uv_would_not_find_the_same_pip_installs(name):
    settings = sources.pip_settings(f"global.{name}='1'")
    assert settings == {name: "1"}
    assert sources.uv_environment(settings, {}) is None


def test_another_lock_python_folder_or_wish_is_another_environment(tmp_path, monkeypatch):
    first = environment.describe(tmp_path / "a", "", environment.LOCKED)
    assert first == environment.describe(tmp_path / "a", "", environment.LOCKED)
    others = [
        environment.describe(tmp_path / "b", "", environment.LOCKED),
        environment.describe(tmp_path / "a", "msgspec==0.22.*", environment.LOCKED),
        environment.describe(tmp_path / "a", "", "highest"),
    ]
    changed = tmp_path / "dev.txt"
    changed.write_bytes(lock.DEV.read_bytes() + b"# changed\n")
    with monkeypatch.context() as patch:
        patch.setattr(environment, "LOCK", changed)
        others.append(environment.describe(tmp_path / "a", "", environment.LOCKED))
    with monkeypatch.context() as patch:
        patch.setattr("sys.version", "3.99.0")
        others.append(environment.describe(tmp_path / "a", "", environment.LOCKED))
    assert len({first, *others}) == 6


def test_an_environment_without_its_python_is_not_ready(tmp_path):
    (tmp_path / ".ready").write_text("key")
    assert not environment.is_ready(tmp_path, "key")
    (tmp_path / "bin").mkdir()
    python = Path(environment.python_of(tmp_path))
    python.parent.mkdir(exist_ok=True)
    python.symlink_to(tmp_path / "gone")
    assert not environment.is_ready(tmp_path, "key")
    (tmp_path / "gone").touch()
    assert environment.is_ready(tmp_path, "key")
    assert not environment.is_ready(tmp_path, "another key")
