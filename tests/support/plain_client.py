"""A client by somebody else: `websockets` and the standard library, nothing of netra_ws.

It also judges by itself: what the contract promises is spelled out here once more.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from limits import HANG_S
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PROBLEM = "application/problem+json"

# Nothing here leaves this machine, whatever proxy the environment names.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Credentials(Protocol):
    """What a user logs in with."""

    @property
    def email(self) -> str: ...

    @property
    def password(self) -> str: ...


class HasBackend(Protocol):
    """Whatever has the address of a backend."""

    @property
    def backend(self) -> str: ...


class Services(HasBackend, Protocol):
    """A running pair of services."""

    @property
    def auth(self) -> str: ...

    @property
    def users(self) -> Iterable[Credentials]: ...


# HTTP


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    def json(self) -> Any:
        return json.loads(self.body)


def _request(url: str, data: bytes | None, method: str | None) -> Answer:
    request = urllib.request.Request(url, data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        response = _opener.open(request, timeout=HANG_S)
    except urllib.error.HTTPError as refusal:
        response = refusal
    with response:
        return Answer(response.status, response.headers, response.read())


async def request(url: str, data: bytes | None = None, method: str | None = None) -> Answer:
    return await asyncio.to_thread(_request, url, data, method)


def address(url: str) -> tuple[str, int]:
    """Return host and port of the address of a service."""
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def _exchange(backend: str, lines: Iterable[str]) -> bytes:
    host = f"Host: {backend.removeprefix('http://')}"
    with socket.create_connection(address(backend), timeout=HANG_S) as peer:
        peer.sendall("\r\n".join([*lines, host, "", ""]).encode())
        with peer.makefile("rb") as answer:
            return answer.read()


async def raw_request(backend: str, *lines: str) -> tuple[int, bytes]:
    """Send a request line and headers as they are; return the status and every byte of the body."""
    head, _, body = (await asyncio.to_thread(_exchange, backend, lines)).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


class Login(NamedTuple):
    """A user who has logged in."""

    user_id: str
    token: str


async def post_login(auth: str, body: object) -> Answer:
    return await request(f"{auth}/auth/login", json.dumps(body).encode())


async def log_in(auth: str, user: Credentials) -> Login:
    answer = await post_login(auth, {"email": user.email, "password": user.password})
    assert answer.status == HTTPStatus.OK, answer
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "user"}
    assert set(body["user"]) == {"id", "email"}
    assert (body["token_type"], body["user"]["email"]) == ("Bearer", user.email)
    return Login(body["user"]["id"], body["access_token"])


async def log_in_all(services: Services) -> list[Login]:
    """Log everybody in, fewer at a time than the service lets wait of one address."""
    at_once = asyncio.Semaphore(4)

    async def one(user: Credentials) -> Login:
        async with at_once:
            return await log_in(services.auth, user)

    return await asyncio.gather(*map(one, services.users))


def token_subject(token: str) -> str:
    """Return the `sub` of a token; nobody needs the secret to read it."""
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]


# WebSocket

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def dial(backend: str, token: str | None, path: str = "/ws", **options: Any) -> connect:
    """Return a connection attempt, to be awaited or entered."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    headers |= options.pop("headers", {})
    options.setdefault("ping_interval", None)  # whether it lives is for the server to ask
    return connect(
        backend.replace("http", "ws", 1) + path,
        additional_headers=headers,
        proxy=None,
        open_timeout=HANG_S,
        **options,
    )


async def refusal(backend: str, token: str | None, **options: Any) -> Answer:
    """Return the HTTP response to a handshake that is expected to be refused."""
    try:
        async with dial(backend, token, **options):
            raise AssertionError("the handshake succeeded")
    except InvalidStatus as refused:
        response = refused.response
        return Answer(response.status_code, response.headers, bytes(response.body or b""))


class Frame(NamedTuple):
    """One message as it came: when, in seconds of a monotonic clock, and its text."""

    at: float
    text: str
    message: dict[str, Any]


@dataclass
class Session:
    """Everything that one client saw of one connection."""

    user_id: str
    asked: str
    status: int = 0
    code: int | None = None
    reason: str | None = None
    frames: list[Frame] = field(default_factory=list)

    def first(self, event_type: str) -> Frame:
        return next(frame for frame in self.frames if frame.message["type"] == event_type)

    def types(self) -> list[str]:
        return [frame.message["type"] for frame in self.frames]


async def read_until(socket: ClientConnection, event_type: str) -> list[Frame]:
    """Return the messages up to the first of that type."""
    frames: list[Frame] = []
    async with asyncio.timeout(HANG_S):
        while not frames or frames[-1].message["type"] != event_type:
            text = await socket.recv(decode=True)
            frames.append(Frame(time.perf_counter(), text, json.loads(text)))
    return frames


@asynccontextmanager
async def connected(
    server: HasBackend, token: str | None, path: str = "/ws", **options: Any
) -> AsyncIterator[ClientConnection]:
    """Connect; `connection_ready` has been read."""
    async with dial(server.backend, token, path, **options) as tab:
        await read_until(tab, "connection_ready")
        yield tab


async def end_of(tab: ClientConnection) -> tuple[int | None, str | None]:
    """Return the code and the reason with which a connection has ended, once it has."""
    async with asyncio.timeout(HANG_S):
        await tab.wait_closed()
    return tab.close_code, tab.close_reason


async def say(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(json.dumps(message))


async def converse(
    backend: str, login: Login, content: str, gate: asyncio.Barrier | None = None
) -> Session:
    """Connect, ask, read until the run has ended, and once more after a ping.

    At the `gate` all clients wait for each other: once connected, so that everybody is there when
    the first event comes, and once done, so that everybody is still there when the last one does.
    """
    gate = gate or asyncio.Barrier(1)
    session = Session(login.user_id, content)
    try:
        async with dial(backend, login.token) as socket:
            assert socket.response is not None
            session.status = socket.response.status_code
            try:
                session.frames += await read_until(socket, "connection_ready")
                await gate.wait()
                await say(socket, {"type": "user_message", "content": content})
                while session.frames[-1].message.get("user_id") != login.user_id:
                    session.frames += await read_until(socket, "agent_completed")
                await gate.wait()
                await say(socket, {"type": "ping"})
                session.frames += await read_until(socket, "pong")
            except ConnectionClosed:
                await gate.abort()
            except asyncio.BrokenBarrierError:
                pass  # somebody else's connection ended; so does this one
        session.code, session.reason = socket.close_code, socket.close_reason
    except InvalidStatus as refused:
        session.status = refused.response.status_code
        await gate.abort()
    return session


async def run_sessions(services: Services, batches: int = 5) -> list[Session]:
    """Return `batches` sessions of every user, all users at once."""
    logins = await log_in_all(services)
    sessions: list[Session] = []
    for batch in range(batches):
        gate = asyncio.Barrier(len(logins))
        async with asyncio.timeout(HANG_S):
            sessions += await asyncio.gather(
                *(
                    converse(services.backend, login, f"{login.user_id} asks {batch}", gate)
                    for login in logins
                )
            )
    return sessions


# What the contract says

ENVELOPE = {
    "type",
    "seq",
    "epoch",
    "user_id",
    "thread_id",
    "run_id",
    "agent_name",
    "timestamp",
    "payload",
}
PAYLOADS = {
    "agent_started": {"message"},
    "agent_thinking": {"reasoning", "step"},
    "tool_executing": {"tool_call_id", "tool_name", "parameters"},
    "tool_completed": {"tool_call_id", "tool_name", "results", "success", "duration_ms"},
    "agent_completed": {"status", "final_response", "duration_ms", "events", "digest"},
}
READY = {"connection_id", "epoch", "seq", "recovered", "lost", "runs"}
GRAMMAR = re.compile(
    r"agent_started (agent_thinking |tool_executing tool_completed )*agent_completed"
)
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
COMPLETE = "complete"


def run_fault(frames: list[Frame]) -> str | None:
    """Return what is wrong with the events of one run that ran alone, or `None`."""
    events = [frame.message for frame in frames]
    return (
        _order_fault(events)
        or _form_fault(events)
        or _number_fault(events)
        or _call_fault(events)
        or _end_fault(frames)
    )


def _order_fault(events: list[dict[str, Any]]) -> str | None:
    order = " ".join(event["type"] for event in events)
    return None if GRAMMAR.fullmatch(order) else f"against the grammar: {order}"


def _form_fault(events: list[dict[str, Any]]) -> str | None:
    for event in events:
        if set(event) != ENVELOPE or set(event["payload"]) != PAYLOADS[event["type"]]:
            return f"keys of {event['type']}: {sorted(event)}, {sorted(event['payload'])}"
        if not RFC_3339_UTC.fullmatch(event["timestamp"]):
            return f"timestamp {event['timestamp']}"
    for key in ("epoch", "user_id", "thread_id", "run_id", "agent_name"):
        if len({event[key] for event in events}) != 1:
            return f"more than one {key} in a run"
    return None


def _number_fault(events: list[dict[str, Any]]) -> str | None:
    numbers = [event["seq"] for event in events]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return f"seq with a gap: {numbers}"
    return None


def _call_fault(events: list[dict[str, Any]]) -> str | None:
    calls = [
        event["payload"]["tool_call_id"]
        for event in events
        if event["type"] in {"tool_executing", "tool_completed"}
    ]
    if calls[::2] != calls[1::2] or len(set(calls)) * 2 != len(calls):
        return f"tool calls do not pair: {calls}"
    return None


def _end_fault(frames: list[Frame]) -> str | None:
    end = frames[-1].message["payload"]
    if end["events"] != len(frames):
        return f"{len(frames)} messages, announced {end['events']}"
    digest = hashlib.sha256()
    for frame in frames[:-1]:
        digest.update(frame.text.encode() + b"\n")
    if end["digest"] != digest.hexdigest():
        return "digest does not match"
    return None


def outcome(session: Session) -> str:
    """Return `COMPLETE`, or in one line how the session fell short of the contract."""
    if session.status != HTTPStatus.SWITCHING_PROTOCOLS:
        return f"{session.status} instead of 101"
    for frame in session.frames:
        if frame.message.get("user_id", session.user_id) != session.user_id:
            return "a foreign event"
    if session.code != 1000:
        count = len(session.frames)
        return (
            f"101, then close {session.code} with reason {session.reason!r} after {count} messages"
        )
    ready, *run, pong = session.frames
    if ready.message["type"] != "connection_ready" or set(ready.message["payload"]) != READY:
        return f"first message {ready.text}"
    fault = run_fault(run)
    if fault is not None:
        return fault
    if set(session.types()[1:-1]) != set(PAYLOADS):
        return f"not all five types: {session.types()}"
    if pong.message["type"] != "pong" or set(pong.message) != {"type", "timestamp", "payload"}:
        return f"last message {pong.text}"
    first, last = run[0].message, run[-1].message
    position = ready.message["payload"]
    if (first["epoch"], first["seq"]) != (position["epoch"], position["seq"] + 1):
        return f"after position {position['seq']} came {first['seq']}"
    if first["payload"]["message"] != session.asked:
        return f"asked {session.asked!r}, run on {first['payload']['message']!r}"
    if last["payload"]["status"] != "completed" or not last["payload"]["final_response"]:
        return f"ended as {last['payload']}"
    return COMPLETE


def tally(sessions: list[Session]) -> str:
    """Return how the sessions came out, the commonest outcome first."""
    outcomes = Counter(outcome(session) for session in sessions)
    return "\n".join(
        f"{count} of {len(sessions)} sessions: {what}" for what, count in outcomes.most_common()
    )


ENDPOINTS = {
    "/ws/health": {"status", "components", "commit", "timestamp"},
    "/ws/config": {"limits", "event_types", "close_codes", "client_messages"},
    "/ws/stats": {"connections", "users", "runs", "events", "losses"},
}


def endpoint_fault(path: str, answer: Answer) -> str | None:
    """Return in one line what the endpoint answered instead of what it should, or `None`."""
    if answer.status != HTTPStatus.OK or answer.content_type != "application/json":
        return f"{path}: {answer.status} {answer.content_type}"
    if set(answer.json()) != ENDPOINTS[path]:
        return f"{path}: keys {sorted(answer.json())}"
    return None


async def endpoint_outcome(backend: str, path: str) -> str:
    """Return `COMPLETE`, or in one line what the endpoint answered instead."""
    return endpoint_fault(path, await request(backend + path)) or COMPLETE
