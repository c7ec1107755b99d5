"""A user who breaks something in the middle of a run, is told so, and comes back for the rest."""

from __future__ import annotations

import asyncio
import json
from asyncio import IncompleteReadError
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from accounting import Balance, Item, balance, up_to_now, whole_log
from frames import CLOSE, TEXT, Peer, peer
from limits import HANG_S
from plain_client import dial, read_until
from scripted_server import mint
from websockets.asyncio.client import ClientConnection

from netra_ws.errors import ConnectionEnded

RUN = [["think", 40, 0.002]]
NO_CODE = 1006
"""RFC 6455 section 7.1.5: the connection ended without a close frame."""


def user_message(*steps: list[Any]) -> bytes:
    """Return the message that asks the scripted agent for these steps."""
    return json.dumps({"type": "user_message", "content": json.dumps(steps)}).encode()


def bearer(user: str) -> str:
    """Return the header of a token of `user`."""
    return f"Authorization: Bearer {mint(user)}"


@dataclass
class Offence:
    """What one connection of bare frames was given: `items` are for `accounting.balance`."""

    user: str
    items: list[Item] = field(default_factory=list)

    @property
    def ended(self) -> ConnectionEnded:
        """How the connection ended, the last time that one did."""
        return [item for item in self.items if isinstance(item, ConnectionEnded)][-1]

    @property
    def place(self) -> dict[str, Any]:
        """The epoch and the seq of the last event, or else those of `connection_ready`."""
        for item in reversed(self.items):
            if isinstance(item, str):
                message = json.loads(item)
                place = message if "seq" in message else message["payload"]
                if "epoch" in place:
                    return {"epoch": place["epoch"], "seq": place["seq"]}
        raise AssertionError("expected connection_ready, got nothing")

    async def until(self, ann: Peer, event_type: str) -> dict[str, Any]:
        """Read until a message of that type has come, and return it."""
        while True:
            text = (await ann.receive_type(TEXT)).data.decode()
            self.items.append(text)
            message: dict[str, Any] = json.loads(text)
            if message["type"] == event_type:
                return message

    async def until_quiet(self, ann: Peer) -> None:
        """Read until every run that has begun has ended."""
        while self.open_runs():
            await self.until(ann, "agent_completed")

    async def to_the_end(self, ann: Peer) -> None:
        """Read until the server has said that the connection ends, or it has ended without."""
        try:
            while (received := await ann.receive()).opcode != CLOSE:
                if received.opcode == TEXT:
                    self.items.append(received.data.decode())
        except (IncompleteReadError, ConnectionError):
            self.items.append(ConnectionEnded(NO_CODE, ""))
        else:
            self.items.append(ConnectionEnded(received.code, received.data[2:].decode()))

    async def resume(self, backend: str) -> None:
        """Connect again after the last event, and read what there is.

        If nothing was lost, also what is still to come of the runs that have begun.
        """
        place = self.place
        path = f"/ws?epoch={place['epoch']}&seq={place['seq']}"
        async with dial(backend, mint(self.user), path, max_size=None) as tab:
            (ready,) = await read_until(tab, "connection_ready")
            self.items += [ready.text, *await _events(tab)]
            async with asyncio.timeout(HANG_S):
                while ready.message["payload"]["recovered"] and self.open_runs():
                    self.items += await _events(tab)

    def open_runs(self) -> set[str]:
        """Return the runs that have begun and not ended."""
        messages = [json.loads(item) for item in self.items if isinstance(item, str)]
        begun = {one["run_id"] for one in messages if one["type"] == "agent_started"}
        return begun - {one["run_id"] for one in messages if one["type"] == "agent_completed"}


async def _events(tab: ClientConnection) -> list[str]:
    return [message.text for message in await up_to_now(tab)]


async def offend(
    backend: str, user: str, act: Callable[[Peer], object], *headers: str
) -> tuple[Offence, Balance]:
    """Connect, let `act` break something in the middle of a run, and come back for the rest.

    Asserts that the whole run was delivered, each event once and in order. `act` may return an
    awaitable.
    """
    offence = Offence(user)
    async with peer(backend, bearer(user), *headers) as ann:
        await offence.until(ann, "connection_ready")
        ann.send(TEXT, user_message(*RUN))
        await offence.until(ann, "agent_thinking")
        acting = act(ann)
        task = asyncio.create_task(acting) if asyncio.iscoroutine(acting) else None
        try:
            await offence.to_the_end(ann)
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task], timeout=HANG_S)
    await offence.resume(backend)
    log = await whole_log(backend, user, offence.place["epoch"])
    whole = balance(log, offence.items)
    assert whole.exact, whole
    assert whole.appended > 0
    return offence, whole


async def offences(
    backend: str, acts: dict[str, Callable[[Peer], object]], *headers: str
) -> tuple[dict[str, int], int]:
    """Let one user each do one of `acts`, one after the other.

    Return the close code of each, and how many events were appended and delivered to them.
    """
    codes, events = {}, 0
    for user, act in acts.items():
        offence, whole = await offend(backend, user, act, *headers)
        codes[user] = offence.ended.code
        events += whole.delivered
    return codes, events
