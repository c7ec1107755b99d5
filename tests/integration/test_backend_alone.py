"""`python -m netra_ws` is the backend by itself, without what investigates it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from processes import Serve, netra_ws

BACKEND = (sys.executable, "-P", "-m", "netra_ws")


@pytest.mark.parametrize("word", ["audit", "verify", "checkout", "nope"])
def test_another_word_names_the_command_that_may_know_it(word: str, tmp_path: Path) -> None:
    done = netra_ws(word, cwd=tmp_path, command=BACKEND)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"netra-ws: No command {word!r} here, only serve and hash-password: ")
    assert "run netra-ws" in line


@pytest.mark.parametrize("option", ["--revision=buggy", "--tree=.", "--case=x"])
def test_it_knows_nothing_of_revisions_and_trees(option: str, tmp_path: Path) -> None:
    done = netra_ws("serve", option, cwd=tmp_path, command=BACKEND)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"No such option '{option.partition('=')[0]}'" in done.stderr


def test_it_serves(serve: Serve) -> None:
    server = serve(command=BACKEND)
    assert server.announcement["revision"] == "fixed"
    assert server.stop() == 0


def test_code_from_elsewhere_is_refused_in_the_backend(history: Path, tmp_path: Path) -> None:
    """NETRA_WS_TREE alone brings no code from there."""
    done = netra_ws("serve", cwd=tmp_path, command=BACKEND, env={"NETRA_WS_TREE": str(history)})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("netra-ws: netra_ws came from ")
