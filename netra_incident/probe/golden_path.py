"""The golden path: what a user of any deployment must be able to do, step by step.

A step returns what it saw in a few words, and raises if the contract was not kept. It waits
without a limit: whoever takes the steps bounds them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus

import aiohttp
import msgspec

from netra_incident.measuring.load import ENDPOINTS, MESSAGE
from netra_ws import events
from netra_ws.auth.login import LoginResponse
from netra_ws.auth.users import DemoUser
from netra_ws.client import Channel, ReceivedRun, ServerMessage, login
from netra_ws.decoding import decode
from netra_ws.errors import JsonError, LoginError, NetraError
from netra_ws.event_log import Position
from netra_ws.events import EVENT_TYPES, AgentCompleted, Event
from netra_ws.messages import Error
from netra_ws.wire.urls import is_here

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Caller(Channel):
    """A connection of one user that sees every event, and can leave a run midway.

    `seen` is how many events of the user reached it. `accepted` is called as soon as the
    handshake has succeeded.
    """

    def __init__(
        self,
        url: str,
        session: LoginResponse,
        position: Position | None,
        accepted: Callable[[], None],
    ) -> None:
        super().__init__(url, session.access_token, position)
        self.seen = 0
        self._user_id = session.user.id
        self._accepted = accepted

    async def receive(self) -> tuple[str, ServerMessage]:
        """Return the next message; raises as `Channel.receive`, and for a stranger's event."""
        if not hasattr(self, "ready"):
            self._accepted()
        message, decoded = await super().receive()
        if isinstance(decoded, Event):
            # Here and not in receive_next, where a stranger's event may pass for a duplicate.
            if decoded.user_id != self._user_id:
                got = f"got {_type(decoded)} of {decoded.user_id}"
                raise NetraError(f"expected only events of {self._user_id}, {got}")
            self.seen += 1
        return message, decoded

    async def receive_of(self, thread_id: str, run: ReceivedRun) -> Event:
        """Add the next event of the thread's run to `run` and return it.

        Raises `ConnectionEnded`, or `NetraError` if the message was refused, an event is missing
        or is somebody else's.
        """
        async for message, decoded in self.messages():
            if isinstance(decoded, Error):
                raise NetraError(f"{decoded.payload.code}: {decoded.payload.message}")
            if isinstance(decoded, Event) and decoded.thread_id == thread_id:
                run.add(message, decoded)
                return decoded
        raise AssertionError("messages() does not end, it raises")

    async def receive_rest(self, thread_id: str, run: ReceivedRun) -> None:
        """Add the events of the thread's run to `run` until it ends; raises as `receive_of`."""
        while not run.ended:
            await self.receive_of(thread_id, run)


class GoldenPath:
    """What one step leaves to the next.

    `awaited` is what a step waits for at this moment. `secrets` must not be shown to anybody.
    """

    def __init__(self, base_url: str, auth_url: str, logins: Sequence[DemoUser]) -> None:
        self.awaited = ""
        self.secrets = [user.password for user in logins]
        self.base_url = base_url
        self.auth_url = auth_url
        self._logins = logins
        self._sessions: list[LoginResponse] = []
        self._connection = AsyncExitStack()
        self._caller: Caller
        self._thread_id = ""
        self._run = ReceivedRun()

    def _call(self, session: LoginResponse, position: Position | None = None) -> Caller:
        self.awaited = "101"
        return Caller(self.base_url, session, position, self._accepted)

    def _accepted(self) -> None:
        self.awaited = "connection_ready after 101"

    async def hang_up(self) -> None:
        """Close the connection of `connect`; harmless where there is none."""
        await self._connection.aclose()

    async def log_in(self) -> str:
        """Log in both users."""
        for user in self._logins:
            self.awaited = f"a login of {user.email}"
            try:
                session = await login(self.auth_url, user.email, user.password)
            except LoginError as error:
                raise LoginError(f"{user.email}: {error}", error.status) from error.__cause__
            self.secrets.append(session.access_token)
            self._sessions.append(session)
        first, second = (session.user.id for session in self._sessions)
        if first == second:
            raise NetraError(f"expected two different users, got {first} for both logins")
        return f"{first}, {second}"

    async def connect(self) -> str:
        """Connect the first user: handshake and `connection_ready`."""
        self._caller = self._call(self._sessions[0])
        await self._connection.enter_async_context(self._caller)
        return "connection_ready"

    async def first_event(self) -> str:
        """Send a message and wait for the first event of its run."""
        self.awaited = "the first event of the run"
        self._thread_id = await self._caller.ask(MESSAGE)
        event = await self._caller.receive_of(self._thread_id, self._run)
        return _type(event)

    async def five_events(self) -> str:
        """Wait for the end of the run: all five types, in an order that the grammar allows."""
        grammar, seen, event = events.Grammar(), self._run.events, self._run.events[0]
        grammar.accept(_type(event))
        while not self._run.ended:
            self.awaited = f"an end of the run after {', '.join(map(_type, seen))}"
            event = await self._caller.receive_of(self._thread_id, self._run)
            grammar.accept(_type(event), getattr(event.payload, "tool_call_id", None))
        types = list(map(_type, seen))
        if set(types) != set(EVENT_TYPES):
            raise NetraError(f"expected all of {', '.join(EVENT_TYPES)}; got {', '.join(types)}")
        assert isinstance(event, AgentCompleted)
        if event.payload.status != "completed":
            raise NetraError(f"expected a run with status completed, got {event.payload.status}")
        return f"{len(types)} events, all five types, in order"

    async def digest(self) -> str:
        """Check that nothing of the run is missing or changed."""
        self._run.verify()
        return f"count {len(self._run.events)} and digest agree"

    async def endpoints(self) -> str:
        """Ask health, configuration and statistics."""
        answers = dict.fromkeys(ENDPOINTS, "")

        async def ask(http: aiohttp.ClientSession, path: str) -> None:
            try:
                url = f"{self.base_url}{path}"
                async with http.get(url, allow_redirects=False) as response:
                    body = await response.read()
                answers[path] = str(response.status)
                if response.status == HTTPStatus.OK:
                    decode(body, _OBJECT, "an object")
            except aiohttp.ClientError as error:
                answers[path] = f"no answer ({type(error).__name__})"
            except JsonError:
                answers[path] += " without a JSON object"
            self.awaited = f"200 and a JSON object from each endpoint (so far {_listed(answers)})"

        self.awaited = f"an answer of {', '.join(ENDPOINTS)}"
        async with aiohttp.ClientSession(trust_env=not is_here(self.base_url)) as http:
            await asyncio.gather(*(ask(http, path) for path in ENDPOINTS))
        if set(answers.values()) != {str(HTTPStatus.OK.value)}:
            msg = f"expected 200 and a JSON object from each endpoint, got {_listed(answers)}"
            raise NetraError(msg)
        return _listed(answers)

    async def isolation(self) -> str:
        """Run both users at once, twice: each may see its own events only.

        Twice, because what the first runs sent astray has arrived before the second ones end.
        Absence is not isolation, but a run that came to its end was seen by its user.
        """
        async with AsyncExitStack() as stack:
            callers = [
                await stack.enter_async_context(self._call(session)) for session in self._sessions
            ]
            for _ in range(2):
                self.awaited = "a whole run for both users at once"
                threads = [await caller.ask(MESSAGE) for caller in callers]
                runs = (ReceivedRun(), ReceivedRun())
                await asyncio.gather(*map(Caller.receive_rest, callers, threads, runs))
        first, second = (
            f"{session.user.id} saw {caller.seen}"
            for session, caller in zip(self._sessions, callers, strict=True)
        )
        return f"{first} and {second} events, all of them their own"

    async def reconnect(self) -> str:
        """Drop a connection after the first event of a run, and go on where it broke off."""
        run = ReceivedRun()
        async with self._call(self._sessions[0]) as caller:
            self.awaited = "the first event of the run"
            thread_id = await caller.ask(MESSAGE)
            event = await caller.receive_of(thread_id, run)
            caller.abort()
        position = Position(event.epoch, event.seq)
        async with self._call(self._sessions[0], position) as caller:
            ready = caller.ready.payload
            if ready.recovered is not True or (ready.epoch, ready.seq) != position:
                msg = f"expected recovered true and to go on after {position.seq}"
                got = f"got recovered {ready.recovered}, lost {ready.lost}, after {ready.seq}"
                raise NetraError(f"{msg}; {got}")
            self.awaited = "the events that were missed"
            await caller.receive_rest(thread_id, run)
        run.verify()
        return f"recovered, {len(run.events) - 1} missed events arrived, digest agrees"


def _type(event: Event) -> str:
    return str(event.__struct_config__.tag)


def _listed(answers: dict[str, str]) -> str:
    return ", ".join(f"{path} {answer or 'nothing'}" for path, answer in answers.items())
