"""Load: many sessions of many users at once, written down as the client saw them.

The socket here is plain `websockets`, so that a session is recorded whatever becomes of it; what
arrived is judged by the package's own client. The tests judge it once more, with a client that
shares no code with the package.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from netra_incident.history.deployment import Deployment
from netra_ws import events
from netra_ws.auth.login import LoginResponse
from netra_ws.auth.users import DemoUser
from netra_ws.client import ReceivedRun, login
from netra_ws.errors import IncompleteRun
from netra_ws.events import Event

SESSION_TIMEOUT_S = 30.0
LOGINS_AT_ONCE = 4  # half of `max_waiting_logins_per_address`: others log in from here, too
ENDPOINTS = ("/ws/health", "/ws/config", "/ws/stats")
MESSAGE = "import asyncio\n\nasync def main() -> None:\n    await asyncio.sleep(0)\n"

Progress = Callable[[], object]
"""Called after every session."""


class Frame(NamedTuple):
    """One message as received: seconds since the load began, and its text."""

    at: float
    text: str


class Received(NamedTuple):
    """One event as received: seconds since the load began, its text, and what it decodes to."""

    at: float
    text: str
    event: Event


@dataclass
class Session:
    """One session as its client saw it: connect, send a message, read until the run or the
    connection ends.

    `began`, `asked` and `ended` are seconds since the load began; `handshake` is the HTTP status;
    `close_code` is 1006 where no close frame came (RFC 6455 section 7.1.5).
    """

    user_id: str
    began: float
    handshake: int = 0
    asked: float = 0.0
    ended: float = 0.0
    close_code: int = 1006
    close_reason: str = ""
    frames: list[Frame] = field(default_factory=list)

    @property
    def events(self) -> list[Received]:
        """The events among the frames."""
        found = []
        for at, text in self.frames:
            try:
                found.append(Received(at, text, events.decode(text)))
            except msgspec.ValidationError:
                continue  # connection_ready and its like
        return found

    @property
    def outcome(self) -> str:
        """The session in one line: what a client can tell without reading any log."""
        if self.handshake != 101:
            return f"{self.handshake}, no session"
        reason = self.close_reason or "no reason"
        return f"101, then {len(self.frames)} messages, then close {self.close_code}, {reason}"

    @property
    def completed(self) -> bool:
        """Whether all of a run arrived: order, count and digest, `seq` without a gap."""
        run = ReceivedRun()
        for _, text, event in self.events:
            if event.user_id == self.user_id:
                run.add(text, event)
        try:
            run.verify()
        except IncompleteRun:
            return False
        numbers = [event.seq for event in run.events]
        return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


class _Together:
    """Lets nobody ask before everybody is connected, or could not be.

    Else one might be done before another is there to see what must not be seen.
    """

    def __init__(self, users: Iterable[str]) -> None:
        self._missing = set(users)
        self._complete = asyncio.Event()

    def note(self, user_id: str) -> None:
        """Count a user in."""
        self._missing.discard(user_id)
        if not self._missing:
            self._complete.set()

    async def wait(self, user_id: str) -> None:
        """Count a user in, and wait for the others."""
        self.note(user_id)
        await self._complete.wait()


async def _session(
    deployment: Deployment,
    token: str,
    user_id: str,
    message: str,
    start: float,
    together: _Together,
) -> Session:
    session = Session(user_id, time.perf_counter() - start)
    url = deployment.backend.replace("http", "ws", 1) + "/ws"
    try:
        async with (
            asyncio.timeout(SESSION_TIMEOUT_S),
            connect(
                url,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                proxy=None,  # the deployment is on this machine, whatever the environment says
            ) as socket,
        ):
            session.handshake = 101
            await together.wait(user_id)
            try:
                session.asked = time.perf_counter() - start
                await socket.send(
                    msgspec.json.encode({"type": "user_message", "content": message}), text=True
                )
                async for text in socket:
                    assert isinstance(text, str)
                    session.frames.append(Frame(time.perf_counter() - start, text))
                    if text.startswith('{"type":"agent_completed"'):
                        break
            except ConnectionClosed:
                pass
            session.ended = time.perf_counter() - start
            await socket.close()
        session.close_code = socket.close_code or 1006
        session.close_reason = socket.close_reason or ""
    except InvalidStatus as refused:
        session.handshake = refused.response.status_code
    except (OSError, TimeoutError, InvalidHandshake):
        pass  # no handshake, or no end: the record says so by itself
    session.ended = session.ended or time.perf_counter() - start
    return session


async def run_sessions(
    deployment: Deployment,
    *,
    users: int = 20,
    each: int = 5,
    message: str = MESSAGE,
    progress: Progress = lambda: None,
) -> list[Session]:
    """Run `each` sessions, one after the other, for each of `users` users at once.

    Raises `LoginError` if a user cannot log in.
    """
    logging_in = asyncio.Semaphore(LOGINS_AT_ONCE)

    async def log_in(user: DemoUser) -> LoginResponse:
        async with logging_in:
            return await login(deployment.auth, user.email, user.password)

    logins = await asyncio.gather(*map(log_in, deployment.users[:users]))
    together = _Together(one.user.id for one in logins)
    start = time.perf_counter()

    async def one_user(token: str, user_id: str) -> list[Session]:
        sessions = []
        for _ in range(each):
            sessions.append(await _session(deployment, token, user_id, message, start, together))
            together.note(user_id)
            progress()
        return sessions

    done = await asyncio.gather(*(one_user(one.access_token, one.user.id) for one in logins))
    return [session for sessions in done for session in sessions]


async def probe_endpoints(deployment: Deployment) -> dict[str, int]:
    """Return the HTTP status of each of `ENDPOINTS`."""
    timeout = aiohttp.ClientTimeout(total=SESSION_TIMEOUT_S)
    statuses = {}
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for path in ENDPOINTS:
            async with http.get(deployment.backend + path) as response:
                statuses[path] = response.status
    return statuses


def isolation(sessions: Sequence[Session]) -> dict[str, Counter[str]]:
    """Return how many events each recipient got, by their owner."""
    matrix: dict[str, Counter[str]] = {}
    for session in sessions:
        owners = matrix.setdefault(session.user_id, Counter())
        owners.update(received.event.user_id for received in session.events)
    return matrix
