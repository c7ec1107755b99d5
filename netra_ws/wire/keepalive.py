"""Whether a client is still there: it is pinged when it is silent, and must answer in time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from netra_ws.deadline import Deadline
from netra_ws.settings import Settings


class Pinged(Protocol):
    """What is asked of, and done to, the socket of a client."""

    last_heard: float
    """When its last byte came, on the clock of the loop."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes in the buffer, that the system has not taken."""

    @property
    def is_heard(self) -> bool:
        """Whether we read what the client says, and can write to it."""

    def ping(self) -> None:
        """Send a ping frame."""

    def cut_silent(self) -> None:
        """Close, for no byte came in time."""


@dataclass(slots=True, eq=False, repr=False)
class Keepalive:
    """The pings of one client, from now until `stop`."""

    _settings: Settings
    _client: Pinged
    unsent_at_ping: int | None = None
    """Bytes before a ping that had to wait, and what was written since."""
    _timer: asyncio.TimerHandle | Deadline = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        self._timer = self._loop.call_later(self._settings.ping_interval_s, self._look)

    def stop(self) -> None:
        """Ping no more; harmless when repeated."""
        self._timer.cancel()

    def _look(self) -> None:
        """Ping a client that has been silent for `ping_interval_s`; look again when others are."""
        client, now = self._client, self._loop.time()
        due = client.last_heard + self._settings.ping_interval_s
        if due > now:
            self._timer = self._loop.call_at(due, self._look)
            return
        waits = client.unsent_bytes > 0
        client.ping()
        self.unsent_at_ping = client.unsent_bytes if waits else None
        self._timer = self._loop.call_later(self._settings.ping_timeout_s, self._check, now)

    def _check(self, pinged: float) -> None:
        if self._is_alive(pinged):
            self._look_again()
        else:
            judge = partial(self._judge, pinged)
            self._timer = Deadline(self._settings.ping_timeout_s, judge, since=pinged)

    def _judge(self, pinged: float) -> None:
        if self._is_alive(pinged):
            self._look_again()
        else:
            self._client.cut_silent()

    def _look_again(self) -> None:
        self.unsent_at_ping = None
        self._look()

    def _is_alive(self, pinged: float) -> bool:
        """Whether a byte of the client came since a ping, or silence says nothing.

        Not where it is us who do not read: a write that stalls has a clock of its own. Nor where
        the ping had to wait behind other bytes, and the system has taken some of them since.
        """
        client, unsent = self._client, self.unsent_at_ping
        is_taking = unsent is not None and unsent > client.unsent_bytes
        return client.last_heard >= pinged or is_taking or not client.is_heard
