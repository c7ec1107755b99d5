"""Exercises about what can be seen: each starts the server that the answer is about."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from netra_incident.case import told_case
from netra_incident.exercises.verdict import Exercise, Verdict, listed, measured, right, wrong
from netra_incident.history.checkout import git, scratch_checkout
from netra_incident.history.deployment import Deployment, deploy
from netra_incident.measuring.comparison import ROWS, measure
from netra_incident.measuring.fingerprint import fingerprint
from netra_ws.client import login

# On page 00


def _judge_number(answer: Any) -> Verdict:
    if answer not in ROWS:
        return wrong(f"There is no row {answer!r}: expected one of {listed(ROWS)}.")
    case = told_case()
    with deploy(case.buggy) as buggy, deploy(case.fixed) as fixed:
        cells = [measured(measure(one, users=2, each=1)).cells() for one in (buggy, fixed)]
    before, after = (cell[ROWS.index(answer)] for cell in cells)
    shown = f"Measured just now, {answer}: {before} on buggy, {after} on fixed."
    if before == after:
        return wrong(f"{shown} Whoever watches it cannot tell one from the other.")
    return right(f"{shown} An alert on it would have told.")


A_NUMBER_THAT_TELLS = Exercise(
    "a number that tells",
    "00",
    "Which row of the table would you put an alert on? Give its name as a str, as it stands there.",
    _judge_number,
)

# On page 02


async def _code_of_a_kill(deployment: Deployment) -> int:
    user = deployment.users[0]
    token = (await login(deployment.auth, user.email, user.password)).access_token
    headers = {"Authorization": f"Bearer {token}"}
    url = deployment.backend.replace("http", "ws", 1) + "/ws"
    async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        await socket.recv()  # connection_ready
        os.kill(deployment.pid, signal.SIGKILL)
        try:
            await socket.recv()
        except ConnectionClosed:
            pass
        await socket.wait_closed()
    assert socket.close_code is not None
    return int(socket.close_code)


def _judge_kill(answer: Any) -> Verdict:
    if not isinstance(answer, int) or isinstance(answer, bool):
        return wrong(f"Expected a close code as a number, for instance 1000; got {answer!r}.")
    with deploy(told_case().fixed, users=1) as fixed:
        code = measured(_code_of_a_kill(fixed))
    if answer == code:
        return right(
            f"A client was connected, the server was killed, the client reports {code}. No server "
            f"sends that code: it says that no close frame came (RFC 6455 section 7.1.5)."
        )
    return wrong(
        f"Tried just now: the client reports {code}, not {answer}. A code like 1000, 1001 or 1011 "
        f"stands in a close frame, and a process that was killed sends none."
    )


A_KILLED_SERVER = Exercise(
    "a killed server",
    "02",
    "A client is connected, and the server's process is killed (SIGKILL). Which close code does\n"
    "the client report?",
    _judge_kill,
)

# On page 03


def _failures() -> dict[int, str]:
    """Return the lines of the route file that raise on `buggy`, by their numbers."""
    with deploy(told_case().buggy, users=1) as buggy:
        measured(measure(buggy, users=1, each=1))
        errors = buggy.failures().values()
    return {int(error["where"].rpartition(":")[2]): error["line"] for error in errors}


def _numbers(answer: Any) -> set[int] | None:
    if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes)):
        return None
    items = list(answer)
    return set(items) if all(isinstance(item, int) for item in items) else None


def _judge_lines(answer: Any) -> Verdict:
    given = _numbers(answer)
    if given is None:
        return wrong(f"Expected numbers of lines, for instance [1, 2, 3, 4]; got {answer!r}.")
    raised = _failures()
    if extra := given - raised.keys():
        return wrong(
            f"No error came from line {listed(extra)} when all four routes were asked. The log of "
            f"the server names the line of each error, on page 02."
        )
    if missing := raised.keys() - given:
        return wrong(
            f"Those raise, but {len(missing)} more do: you named {len(given)} of {len(raised)}. "
            f"One route is the socket's, three are the endpoints'."
        )
    return right("All four raised just now, and no other line did: " + listed(sorted(raised)) + ".")


THE_FOUR_LINES = Exercise(
    "the four lines",
    "03",
    "The commit changed manager.py. Which lines of routes/websocket_ssot.py does it break? Give\n"
    "their numbers as a list.",
    _judge_lines,
)

# On page 07


def _judge_roll_back(answer: Any) -> Verdict:
    if not isinstance(answer, tuple) or len(answer) != 3:
        return wrong(f"Expected three numbers in brackets, as in (1000, 5, 200); got {answer!r}.")
    with scratch_checkout(told_case().fixed) as tree:
        git("revert", "--no-edit", "fixed", cwd=tree)
        with deploy(tree=tree, users=1) as server:
            found = measured(fingerprint(server))
    measures = (found.close_code, found.events, found.endpoints["/ws/health"])
    names = ("close code", "events", "status of /ws/health")
    differ = [
        f"{name}: you said {said}, measured {came}"
        for name, said, came in zip(names, answer, measures, strict=True)
        if said != came
    ]
    if differ:
        return wrong(
            f"The fix was reverted with git and deployed just now. {'; '.join(differ)}. The "
            f"rolled-back server must show what the incident showed, neither more nor less."
        )
    return right(
        f"The fix was reverted with git and deployed just now: {measures[0]}, {measures[1]} "
        f"events, {measures[2]}, as in the incident. Anything else would be a new failure."
    )


AFTER_THE_ROLL_BACK = Exercise(
    "after the roll back",
    "07",
    "The fix is reverted and deployed. What must one session and the health check show? Give the\n"
    "close code, the number of events and the status of /ws/health, as in (1000, 5, 200).",
    _judge_roll_back,
)
