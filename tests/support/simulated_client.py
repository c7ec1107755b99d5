"""A WebSocket client that reads when it is told, and judges what it gets.

It holds it against the record of the log: whatever it should not get raises, in the loop, from
where `Loop.advance` raises it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulated_log import Opening
from simulated_machine import HOST, PORT, Pipe, Socket
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from netra_ws.event_log import START, Position
from netra_ws.messages import SUBPROTOCOL

if TYPE_CHECKING:
    from simulation import Simulation

ROOMY = 1 << 16
"""Bytes of a kernel's buffer that no burst of the model fills."""


class Client:
    """A WebSocket client that reads as it arrives, or, while not `reading`, when told to.

    `position` is after the last event it has; `code` is that of the end, `status` that of the
    handshake. `healthy`: it has never kept the server waiting. `left`: it ended by itself.
    """

    def __init__(
        self, simulation: Simulation, user_id: str, asked: Position | None, room: int, chunk: int
    ) -> None:
        self.user_id = user_id
        self.asked = asked
        self.position: Position | None = None
        self.reading = True
        self.answering = True
        self.healthy = room >= ROOMY
        self.left = False
        self.status: int | None = None
        self.code: int | None = None
        self.messages = 0  # those of the user
        self.refusals: list[str] = []
        self.trace: list[tuple[float, bytes]] = []
        self.born = simulation.clock.now
        self._simulation = simulation
        self._loop = simulation.loop
        self._scheduled = False
        self._outbox = bytearray()
        self._ends = False
        self.inbox = Pipe(room, ROOMY)
        self._outgoing = Pipe(room, chunk)
        query = "" if asked is None else f"?epoch={asked.epoch}&seq={asked.seq}"
        if asked == START:
            query = "?seq=0"
        with simulation.clock.in_force():
            self._protocol = ClientProtocol(
                parse_uri(f"ws://{HOST}:{PORT}/ws{query}"),
                subprotocols=[SUBPROTOCOL],
                max_size=None,
            )
            request = self._protocol.connect()
            token = simulation.tokens.issue(user_id)
        request.headers["Authorization"] = f"Bearer {token}"
        self._protocol.send_request(request)
        self.socket: Socket = self._loop.kernel.connect(self._outgoing, self.inbox)
        self.inbox.changed = self._outgoing.changed = self._wake
        self._wake()

    @property
    def connected(self) -> bool:
        return self.position is not None and self.code is None and not self.left

    @property
    def unsent(self) -> int:
        return len(self._outbox) + len(self._outgoing.data)

    def _wake(self) -> None:
        if not self._scheduled and not self._loop.is_closed():
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        while self.reading and self._read(ROOMY):
            pass
        self._transmit()

    def _transmit(self) -> None:
        for data in self._protocol.data_to_send():
            self._outbox += data
            self._ends = self._ends or not data
        if not self.answering or self.left:
            return
        try:
            while self._outbox:
                del self._outbox[: self._outgoing.send(self._outbox)]
        except BlockingIOError:
            return
        except ConnectionResetError:
            self._outbox.clear()
        if self._ends and not self._outgoing.ended:
            self._outgoing.end()

    def stall(self) -> None:
        self.reading = self.healthy = False

    def read(self, size: int) -> None:
        """Read up to `size` bytes, even if it is not reading by itself."""
        if not self.left:
            self._read(size)
            self._wake()

    def _read(self, size: int) -> bool:
        """Read once; returns whether there was anything."""
        if self.left or self.code is not None:
            return False
        try:
            data = self.inbox.recv(size)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if data:
            self.trace.append((self._simulation.clock.now, data))
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.status = event.status_code
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._receive(bytes(event.data))
        if self._protocol.state is State.CLOSED:
            self.code = self._protocol.close_code
            self._simulation.ended(self)
        return bool(data)

    def _receive(self, text: bytes) -> None:
        message = json.loads(text)
        payload = message["payload"]
        match message["type"]:
            case "connection_ready":
                assert self.position is None, "connection_ready came twice"
                self.position = Position(payload["epoch"], payload["seq"])
                opening = Opening(
                    self.user_id, self.asked, self.position, payload["recovered"], payload["lost"]
                )
                self._simulation.check_opening(opening)
            case "error":
                self.refusals.append(payload["code"])
            case "pong" | "token_renewed":
                pass
            case _:
                assert self.position is not None, "an event came before connection_ready"
                epoch, seq = self.position
                events = self._simulation.record.events[self.user_id, epoch]
                where = f"{self.user_id} at {seq} of {len(events)}"
                assert seq < len(events), f"{where}: got more than there is: {text!r}"
                assert text == events[seq], f"{where}: expected {events[seq]!r}, got {text!r}"
                self.position = Position(epoch, seq + 1)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message, unless the connection has ended."""
        self.send_text(json.dumps(message).encode())

    def send_text(self, text: bytes) -> None:
        if self.connected and self._protocol.state is State.OPEN:
            with self._simulation.clock.in_force():
                self._protocol.send_text(text)
            self._wake()

    def close(self) -> None:
        """Begin the closing handshake."""
        if self._protocol.state is State.OPEN:
            self.healthy = False
            with self._simulation.clock.in_force():
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._wake()

    def half_close(self) -> None:
        """Say that nothing more will be sent, below the protocol; go on reading."""
        self.healthy = False
        self.answering = False
        self._outgoing.end()

    def reset(self) -> None:
        """Go, so that the server's machine is told."""
        self.vanish()
        self._outgoing.break_off()
        self.inbox.break_off()

    def vanish(self) -> None:
        """Go without a word: what was sent stays unanswered, what comes is never read."""
        self.left = True
        self.healthy = False
