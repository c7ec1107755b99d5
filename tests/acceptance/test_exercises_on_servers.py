"""The exercises that start servers: right answers pass, and each wrong kind is told why."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from netra_incident.case import told_case
from netra_incident.exercises import check
from netra_incident.history.checkout import checkout

ROUTES = "netra_ws/routes/websocket_ssot.py"
Matrix = dict[str, Counter[str]]


def isolated(matrix: Matrix) -> bool:
    return all(owners and set(owners) == {user} for user, owners in matrix.items())


def nothing_leaked(matrix: Matrix) -> bool:
    return all(set(owners) <= {user} for user, owners in matrix.items())


def something_came(matrix: Matrix) -> bool:
    return any(matrix.values())


def whole(messages: list[str]) -> bool:
    if not messages:
        return False
    *earlier, last = messages
    says = json.loads(last)["payload"]
    digest = sha256("".join(f"{text}\n" for text in earlier).encode()).hexdigest()
    return bool(says.get("events") == len(messages) and says.get("digest") == digest)


def counted(messages: list[str]) -> bool:
    return bool(messages and json.loads(messages[-1])["payload"].get("events") == len(messages))


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("a number that tells", "sessions completed", "0 of 2 on buggy, 2 of 2 on fixed"),
        ("a number that tells", "close codes", "1011 × 2 on buggy, 1000 × 2 on fixed"),
        ("a killed server", 1006, "the client reports 1006"),
        ("a double that tells", "create_autospec(…)", "passed on before and TypeError on buggy"),
        ("a double that tells", "no double", "passed on before and TypeError on buggy"),
        ("isolated", isolated, "True on fixed"),
        ("a whole run", whole, "The 5 messages pass, and five damages do not"),
        ("after the roll back", (1011, 0, 500), "as in the incident"),
    ],
)
def test_a_right_answer(name: str, answer: Any, why: str) -> None:
    verdict = check(name, answer)
    assert verdict, verdict
    assert why in repr(verdict)


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("a number that tells", "handshakes accepted", "2 of 2 on buggy, 2 of 2 on fixed. Whoever"),
        ("a killed server", 1011, "the client reports 1006, not 1011"),
        ("a double that tells", "MagicMock()", "red on the healthy revision already"),
        ("a double that tells", "AsyncMock()", "green on both"),
        ("a double that tells", "Mock()", "There is no 'Mock()' in the table"),
        ("isolated", nothing_leaked, "For the buggy server it said True; expected False"),
        ("isolated", something_came, "For the leaky control it said True; expected False"),
        ("isolated", lambda matrix: False, "For the fixed server it said False; expected True"),
        ("isolated", lambda matrix: None, "it returned None, expected True or False"),
        ("isolated", lambda matrix: matrix["nobody"], "it raised KeyError: 'nobody'"),
        ("a whole run", counted, "For the run with one message changed it said True"),
        ("a whole run", lambda messages: True, "For the run without its second message"),
        ("after the roll back", (1006, 0, 200), "close code: you said 1006, measured 1011; status"),
    ],
)
def test_a_wrong_answer(name: str, answer: Any, why: str) -> None:
    verdict = check(name, answer)
    assert verdict.right is False
    assert why in repr(verdict)


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    checkout(told_case().buggy, tmp_path / "attempt")
    return tmp_path / "attempt"


def lines_of(attempt: Path) -> list[int]:
    numbered = enumerate((attempt / ROUTES).read_text().splitlines(), 1)
    return [number for number, line in numbered if "await get_websocket_manager(" in line]


def test_the_four_lines(attempt: Path) -> None:
    lines = lines_of(attempt)
    assert check("the four lines", lines)
    assert "3 more do: you named 1 of 4" in repr(check("the four lines", lines[:1]))
    assert "No error came from line 1 when" in repr(check("the four lines", [1, *lines]))


def mend(attempt: Path, times: int) -> None:
    routes = attempt / ROUTES
    routes.write_text(routes.read_text().replace("await get_websocket_", "get_websocket_", times))


@pytest.mark.parametrize("times", [0, 1, 3])
def test_an_incomplete_fix_is_told_what_remains(attempt: Path, times: int) -> None:
    mend(attempt, times)
    verdict = check("your fix", attempt)
    assert verdict.right is False
    assert f"{4 - times} of 4 routes still raise" in verdict.why
    assert verdict.why.count("await get_websocket_manager(") == 4 - times


def test_the_fix_is_right(attempt: Path) -> None:
    mend(attempt, 4)
    assert check("your fix", str(attempt))


def test_a_fix_that_drops_the_error_is_told_so(attempt: Path) -> None:
    mend(attempt, 4)
    routes = attempt / ROUTES
    serving = "    await Connection(socket, user_context, manager, position).serve()"
    assert serving in routes.read_text()
    routes.write_text(routes.read_text().replace(serving, "    return"))
    verdict = check("your fix", attempt)
    assert verdict.right is False
    assert "Nothing raises, and 0 of 2 sessions complete" in verdict.why


def test_a_fix_whose_health_check_says_no_is_told_so(attempt: Path) -> None:
    mend(attempt, 4)
    routes = attempt / ROUTES
    routes.write_text(
        routes.read_text().replace('return status == "healthy", {', "return False, {")
    )
    verdict = check("your fix", attempt)
    assert verdict.right is False
    assert "'/ws/health': 503" in verdict.why


def test_a_fix_that_does_not_start_is_told_so(attempt: Path) -> None:
    (attempt / ROUTES).write_text("def broken(:\n")
    verdict = check("your fix", attempt)
    assert verdict.right is False
    assert "attempt does not start" in verdict.why
