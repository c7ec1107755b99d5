"""An interruption: a user with two tabs, one of which loses its connection in the midst of a run.

The tab that stays is the witness of what there was to receive, and when.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from netra_incident.history.deployment import Deployment
from netra_incident.measuring.load import Received
from netra_incident.measuring.relay import Relay
from netra_ws.client import Backoff, Channel, Client, ReceivedRun, login
from netra_ws.errors import IncompleteRun
from netra_ws.events import AgentCompleted, Event, ToolExecuting

BACKOFF = Backoff(first_s=0.02, max_s=0.05, attempts=1000)
"""Shorter than a client's own, so that the picture shows the runs and not a wait."""


def _proven(received: list[Received]) -> int:
    """Return how many of the runs add up: order, count and digest."""
    runs: dict[str, ReceivedRun] = {}
    for _, text, event in received:
        runs.setdefault(event.run_id, ReceivedRun()).add(text, event)
    proven = 0
    for run in runs.values():
        try:
            run.verify()
        except IncompleteRun:
            continue
        proven += 1
    return proven


@dataclass
class Interruption:
    """What the two tabs got; times in seconds since the first question.

    `cut_at` is when the network was cut; `resumed_at` when the tab had its connection back, as it
    saw the first event after it.
    """

    runs: int
    witness: list[Received] = field(default_factory=list)
    interrupted: list[Received] = field(default_factory=list)
    cut_at: float = 0.0
    before_cut: int = 0
    reconnects: int = 0

    @property
    def resumed_at(self) -> float:
        """When the first event came after the cut."""
        return self.interrupted[self.before_cut].at

    @property
    def identical(self) -> bool:
        """Whether both tabs got the same messages, byte for byte, each once and in order."""
        return [one.text for one in self.witness] == [one.text for one in self.interrupted]

    @property
    def proven(self) -> int:
        """Of how many runs the interrupted tab can prove that it has everything."""
        return _proven(self.interrupted)

    def __repr__(self) -> str:
        """Say what came, in counts; no time, no address."""
        after = len(self.interrupted) - self.before_cut
        return (
            f"{len(self.witness)} events sent, {len(self.interrupted)} received: "
            f"{self.before_cut} before the cut, {after} after it\n"
            f"reconnects: {self.reconnects}\n"
            f"the same messages as without a cut: {self.identical}\n"
            f"runs proven by count and digest: {self.proven} of {self.runs}"
        )


async def interrupt(
    deployment: Deployment,
    message: str,
    *,
    runs: int = 8,
    cut_in: int = 3,
    mend_after: int = 5,
    limit_s: float = 30.0,
) -> Interruption:
    """Run `message` `runs` times, and cut one of two tabs off when a tool begins in run `cut_in`.

    It gets through again after run `mend_after`; the next run waits until it has. Raises
    `TimeoutError` if all that takes longer than `limit_s` seconds, and what a client raises that
    cannot go on.
    """
    user = deployment.users[0]
    authenticate = partial(login, deployment.auth, user.email, user.password)
    token = (await authenticate()).access_token
    seen = Interruption(runs)
    async with (
        asyncio.timeout(limit_s),
        Relay(deployment.backend) as relay,
        Channel(deployment.backend, token) as witness,
        Client(relay.url, authenticate, backoff=BACKOFF) as client,
    ):
        start = time.perf_counter()
        back = asyncio.Event()

        def now() -> float:
            return time.perf_counter() - start

        async def stay() -> None:
            for number in range(1, runs + 1):
                await witness.ask(message)
                event = None
                while not isinstance(event, AgentCompleted):
                    text, event = await witness.receive_next()
                    if isinstance(event, Event):
                        seen.witness.append(Received(now(), text, event))
                if number == mend_after:
                    relay.mend()
                    await back.wait()  # so that what follows comes live

        async def be_cut_off() -> None:
            tools = ended = 0
            async with aclosing(client.messages()) as messages:
                async for text, event in messages:
                    if not isinstance(event, Event):
                        continue
                    seen.interrupted.append(Received(now(), text, event))
                    if seen.before_cut:
                        back.set()
                    tools += isinstance(event, ToolExecuting)
                    if not seen.before_cut and tools == cut_in:
                        relay.cut()
                        seen.cut_at = now()
                        seen.before_cut = len(seen.interrupted)
                    ended += isinstance(event, AgentCompleted)
                    if ended == runs:
                        return

        async with asyncio.TaskGroup() as tabs:
            tabs.create_task(stay())
            tabs.create_task(be_cut_off())
        seen.reconnects = client.reconnects
    return seen
