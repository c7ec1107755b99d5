"""What the connections of one listening port share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from websockets.http11 import Request

from netra_ws.addresses import Proxies
from netra_ws.context import Claims
from netra_ws.metrics import Metrics
from netra_ws.settings import Settings
from netra_ws.wire.rates import Absence
from netra_ws.wire.refusals import Refusals


@dataclass(frozen=True, slots=True)
class Port:
    """The limits, what answers a request, and all connections until they are lost.

    `verify` returns what a token says or raises `TokenError`; `serve` answers an `Opening`.
    """

    settings: Settings
    metrics: Metrics
    verify: Callable[[str], Claims]
    serve: Callable[[Any, Request], Coroutine[Any, Any, None]]
    refusals: Refusals
    proxies: Proxies
    pending: dict[Any, None] = field(default_factory=dict)
    """The openings, the oldest first."""
    sockets: set[Any] = field(default_factory=set)
    absence: Absence = field(default_factory=Absence)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        """Return the number of connections, whatever their phase."""
        return len(self.pending) + len(self.sockets)

    def lost(self) -> None:
        """Note that a connection has been taken from `pending` or `sockets`."""
        self._changed.set()

    async def wait_empty(self) -> None:
        """Wait until every connection is lost."""
        while len(self):
            self._changed.clear()
            await self._changed.wait()
