"""The token that a client is known by, and its renewal."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from netra_ws.auth.login import LoginResponse
from netra_ws.client.backoff import Attempts, Backoff

logger = logging.getLogger(__name__)

Authenticate = Callable[[], Awaitable[LoginResponse]]
"""Logs in, as `netra_ws.client.login` does, and raises `LoginError` where that fails."""

MARGIN_S = 60.0
"""Seconds before its end from which a token is renewed, or a fifth of its life if that is less."""


MAX_LIFE_S = 10**7
"""What is said to live longer is renewed after some four months; timers take no such numbers."""


class Credentials:
    """The newest token of `authenticate`; calls that need a newer one at once share one login."""

    def __init__(self, authenticate: Authenticate, backoff: Backoff) -> None:
        self.token = ""
        self._authenticate = authenticate
        self._backoff = backoff
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._renew_at = self._expires_at = 0.0

    @property
    def expired(self) -> bool:
        """Whether there is no token that is still good."""
        return time.monotonic() >= self._expires_at

    def expire(self) -> None:
        """Note that the server takes the token for expired, whatever the clock here says."""
        self._expires_at = 0.0

    async def replace(self, token: str) -> None:
        """Log in, unless `token` is no longer the newest; raises whatever `authenticate` raises."""
        async with self._lock:
            if self.token != token:
                return
            asked_at = time.monotonic()
            session = await self._authenticate()
            life_s = float(min(max(1, session.expires_in), MAX_LIFE_S))
            margin_s = min(life_s / 5, MARGIN_S)
            self.token = session.access_token
            self._expires_at = asked_at + life_s
            # Jitter: whoever logged in together shall not come back together.
            self._renew_at = self._expires_at - random.uniform(0.5, 1) * margin_s  # noqa: S311
            self._changed.set()

    async def keep_fresh(self, announce: Callable[[], Awaitable[None]]) -> None:
        """Replace each token before it expires, and call `announce` after; runs until cancelled.

        Logins that fail are repeated until the token has expired. After that it is for whoever
        needs a token to log in, and to see what is wrong.
        """
        while True:
            self._changed.clear()
            token = self.token
            await asyncio.sleep(max(0.0, self._renew_at - time.monotonic()))
            if token == self.token:
                try:
                    await self._renew(token)
                except Exception as error:  # `authenticate` is anybody's and may raise anything
                    logger.warning("token not renewed: %s", type(error).__name__)
                    await self._changed.wait()
                else:
                    await announce()

    async def _renew(self, token: str) -> None:
        left_s = self._expires_at - time.monotonic()
        attempts = Attempts(replace(self._backoff, give_up_after_s=left_s))
        while True:
            await attempts.next()
            try:
                return await self.replace(token)
            except Exception as error:
                attempts.failed(error)
