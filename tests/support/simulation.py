"""A backend, its users and their agents on a simulated machine; see `simulated_machine`.

The backend is the real one, from its listening socket down, with its manager, runs and
connections. Around it: an event log that records what went into it (`simulated_log`), agents that
do what they are told (`simulated_agents`), and clients that judge by the record what they get
(`simulated_client`).
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from simulated_agents import Agents, Work
from simulated_client import ROOMY, Client
from simulated_log import Opening, Record, RecordedEventLog
from simulated_machine import HOST, PORT, Clock, Loop
from structlog.testing import capture_logs

from netra_ws.auth.tokens import Tokens
from netra_ws.event_log import Position
from netra_ws.event_log.memory import MemoryEventLog
from netra_ws.events import Grammar
from netra_ws.manager import ManagerRegistry, remove_registry
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

SECRET = "a secret of the simulation, long enough for HS256"

CONTROL_BYTES = 1024
"""Room for what is no event: headers of frames, replies, pongs, the close frame."""


class Simulation:
    """One machine, one backend at a time, any number of clients; `start` before anything else."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        self.settings = settings
        self.clock = Clock(seed)
        self.record = Record(settings)
        self.agents = Agents()
        self.tokens = Tokens(SECRET, settings)
        self.clients: list[Client] = []
        self.log_lines: list[dict[str, Any]] = []
        self._numbers = count(1)

    def start(self, event_log: RecordedEventLog | None = None) -> None:
        """Start a backend, on an empty log in memory unless another is given."""
        self.loop = Loop(self.clock)
        self.event_log = event_log or RecordedEventLog(MemoryEventLog(self.settings), self.record)
        self.registry = ManagerRegistry(self.settings, agent=self.agents, event_log=self.event_log)
        self.event_log.asked_for.clear()
        for log in self.event_log.logs.values():
            log.recording = True
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self.agents.work.clear()
        self.clients = []
        self._stalled: dict[int, tuple[int, float]] = {}
        started = asyncio.Event()
        self._serving = self.loop.create_task(self._serve(started))
        self.advance()
        assert started.is_set(), "the backend did not start"
        self.idle_tasks = len(asyncio.all_tasks(self.loop))
        self.idle_timers = len(self.loop.timers())

    async def _serve(self, started: asyncio.Event) -> None:
        async with Backend(self.registry, self.tokens, host=HOST, port=PORT) as backend:
            started.set()
            await self._stop.wait()
            await backend.drain(self._hurry)

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and everything happen that is due by then."""
        with self._logs():
            self.loop.advance(seconds)
        self._check_logs()

    @contextmanager
    def _logs(self) -> Iterator[None]:
        """Keep log lines, those of the libraries included, in place of printing them."""
        lines = self.log_lines

        class Keeper(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                error = record.exc_info and record.exc_info[1]
                line = {"event": record.getMessage(), "log_level": "library", "error": repr(error)}
                lines.append(line)

        keeper = Keeper(logging.ERROR)
        libraries = [logging.getLogger("websockets.server"), logging.getLogger("asyncio")]
        for logger in libraries:
            logger.addHandler(keeper)
            logger.propagate = False
        try:
            with capture_logs() as captured:
                yield
        finally:
            for logger in libraries:
                logger.removeHandler(keeper)
                logger.propagate = True
            lines += map(dict, captured)

    def _check_logs(self) -> None:
        for line in self.log_lines:
            expected = line["event"] in {"run failed", "tool failed", "run would not stop"}
            assert expected or line["log_level"] not in {"library", "error", "critical"}, line
        self.log_lines.clear()

    def connect(
        self, user_id: str, asked: Position | None = None, room: int = ROOMY, chunk: int = ROOMY
    ) -> Client:
        """Return a client that begins to connect; `room` is that of the kernel, in bytes."""
        client = Client(self, user_id, asked, room, chunk)
        self.clients.append(client)
        return client

    def ask(self, client: Client, plan: Iterable[tuple[Any, ...]] = ()) -> Work:
        """Send a message of the user; its run does what the plan says, and then what comes."""
        content = f"message {next(self._numbers)}"
        self.agents.work[content] = work = Work(client)
        for order in plan:
            work.orders.put_nowait(order)
        if client.connected:
            client.messages += 1
            client.say({"type": "user_message", "content": content})
        return work

    # What must hold

    def check_opening(self, opening: Opening) -> None:
        """What a client is told of its position is what was so when its cursor was opened."""
        expected = [kept for kept in self.record.openings if kept[:2] == opening[:2]]
        assert self.record.openings[opening] > 0, f"told {opening}, expected one of {expected}"
        self.record.openings[opening] -= 1

    def ended(self, client: Client) -> None:
        """A connection ended: with a code that says why, and not without a cause."""
        if client.left or client.status != 101:
            return
        code = client.code
        assert code not in {1002, 1007, 1009}, f"{client.user_id} broke nothing, got {code}"
        if not client.healthy:
            return
        age = self.clock.now - client.born
        expires = self.settings.token_lifetime_s
        limit = self.settings.max_connections_per_user
        crowd = sum(other.user_id == client.user_id for other in self.clients)
        # Where all logs together have little room, others can push out what was not yet written.
        little = self.settings.retained_bytes_total < Settings().retained_bytes_total
        assert (
            (code == 1012 and self._stop.is_set())
            or (code == 4003 and age >= expires)
            or (code == 4005 and crowd > limit)
            or (code == 4002 and little)
        ), f"{client.user_id} did nothing, got {code} after {age:g} s"

    def check_bounds(self) -> None:
        """Memory: what is kept of each log, and what waits in each connection."""
        for log in self.event_log.logs.values():
            kept, allowed = log.kept(), len(self.record.window(log.name))
            assert kept == allowed, f"{log.name[0]}: {kept} events are kept, expected {allowed}"
        longest = max(
            (len(event) for log in self.record.events.values() for event in log), default=0
        )
        mark = self.settings.write_high_water_bytes
        # Below the mark one batch may be written, of as much again or of one event.
        bound = mark + max(mark, longest) + CONTROL_BYTES
        for transport in self.loop.transports:
            waiting = transport.get_write_buffer_size()
            assert waiting <= bound, f"{waiting} B wait in one connection, expected {bound} at most"
            self._check_stalled(transport, waiting > mark)

    def _check_stalled(self, transport: asyncio.Transport, above_mark: bool) -> None:
        """Nobody stays above the mark who takes not one byte for longer than a write may last."""
        number = transport.get_extra_info("peername")[1]
        taken = self.loop.kernel.sockets[number].outgoing.taken
        before, since = self._stalled.get(number, (None, 0.0))
        if not above_mark:
            self._stalled.pop(number, None)
        elif taken != before:
            self._stalled[number] = taken, self.clock.now
        else:
            stalled_s = self.clock.now - since
            limit = self.settings.write_timeout_s + self.settings.close_timeout_s
            assert stalled_s <= limit, f"a write has stalled for {stalled_s:g} s, limit {limit:g}"

    def check_delivered(self) -> None:
        """Whoever reads all that comes has all there is."""
        for client in self.clients:
            if client.connected and client.reading and client.answering:
                assert client.position is not None
                epoch, seq = client.position
                head = len(self.record.events[client.user_id, epoch])
                assert seq == head, f"{client.user_id} waits at {seq} of {head}, nothing comes"

    def check_answered(self) -> None:
        """Each message of a user has become a run that may do its work, or was refused in words."""
        assert not self.agents.hindered, self.agents.hindered
        runs = Counter(work.client for work in self.agents.work.values() if work.run_id)
        for client in self.clients:
            if client.connected and client.healthy and not client.unsent:
                answered = runs[client] + client.refusals.count("too_many_runs")
                sent = client.messages
                assert answered == sent, f"{answered} of {sent} messages are answered"

    def check_runs(self) -> None:
        """Every run has ended, once, with the right count and digest."""
        for run_id, events in self.record.runs().items():
            grammar = Grammar()
            for event in map(json.loads, events):
                grammar.accept(event["type"], event["payload"].get("tool_call_id"))
            assert grammar.ended, f"{run_id} has not ended: {len(events)} events"
            payload = json.loads(events[-1])["payload"]
            digest = hashlib.sha256(b"".join(event + b"\n" for event in events[:-1])).hexdigest()
            expected = (len(events), digest)
            assert (payload["events"], payload["digest"]) == expected, f"{run_id}: {payload}"

    def check_no_leak(self) -> None:
        """Nothing is left of clients that have gone and runs that have ended."""
        sockets = self.loop.kernel.open_sockets()
        assert not sockets, f"{len(sockets)} connections are open, expected none"
        assert not self.record.cursors, f"{len(self.record.cursors)} cursors are open"
        tasks = asyncio.all_tasks(self.loop)
        assert len(tasks) <= self.idle_tasks, f"tasks are left: {tasks}"
        timers = self.loop.timers()
        assert len(timers) <= self.idle_timers, f"timers are left: {timers}"
        statistics = self.registry.statistics()
        assert (statistics.connections, statistics.runs) == (0, 0), statistics
        assert b"\nnetra_ws_connections 0.0\n" in self.registry.metrics.render()
        gc.collect()
        assert not self.record.living, f"{len(self.record.living)} closed cursors are still held"

    def check_forgotten(self) -> None:
        """No log is left of the users of this process, all of them idle for long."""
        kept = self.event_log.asked_for & self.event_log.logs.keys()
        assert not kept, f"the logs of {kept} are kept"
        assert self.registry.statistics().users == 0, self.registry.statistics()

    # Ends

    def stop(self, *, keep_log: bool = False) -> None:
        """Stop the backend as a signal does, and start another; on the same log if asked to.

        Raises unless it is gone, with every run ended, one second after the drain time.
        """
        self._stop.set()
        with self._logs():
            self.loop.complete(self._joined(), self.settings.drain_timeout_s + 1)
        self.advance()
        self.check_runs()
        assert not self.record.cursors, f"{len(self.record.cursors)} cursors are open after a stop"
        unaware = [client for client in self.clients if client.connected and client.healthy]
        assert not unaware, f"{len(unaware)} clients do not know that the server has stopped"
        tasks = asyncio.all_tasks(self.loop)
        refusing = sum(work.refusing for work in self.agents.work.values())
        assert len(tasks) <= refusing, f"{refusing} agents refuse to stop, tasks are left: {tasks}"
        self.close()
        self.start(self.event_log if keep_log else None)

    async def _joined(self) -> None:
        await asyncio.shield(self._serving)

    def crash(self) -> None:
        """End the process as a kill does, and start another with nothing of the first."""
        self.record.killed |= {log.name for log in self.event_log.logs.values()}
        self.close()
        self.start()

    def close(self) -> None:
        """Make the machine go away, whatever state it is in.

        Nothing that its tasks do on their way out is seen: the connections break, no log is
        recorded, and errors are not kept.
        """
        for client in self.clients:
            client.left = True
        for log in self.event_log.logs.values():
            log.recording = False
        for end in self.loop.kernel.open_sockets():
            end.incoming.break_off()
            end.outgoing.break_off()
        for work in self.agents.work.values():
            work.released.set()
        self.loop.set_exception_handler(lambda *_: None)
        self.loop.failures.clear()
        self._stop.set()
        self._hurry.set()
        for attempt in range(3):
            for task in asyncio.all_tasks(self.loop):
                if attempt or task is not self._serving:
                    task.cancel()
            with self._logs():
                self.loop.advance(self.settings.drain_timeout_s + 1)
        left = asyncio.all_tasks(self.loop)
        self.loop.close()
        remove_registry(self.registry)
        self.log_lines.clear()
        self.record.cursors.clear()
        assert not left, f"tasks are left that cannot be cancelled: {left}"
