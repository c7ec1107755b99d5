"""What a server says that it takes, and what it sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from msgspec import UNSET, Struct, UnsetType

from netra_ws.client.answer import read_body
from netra_ws.client.backoff import is_transient_status
from netra_ws.client.channel import MAX_EVENT_BYTES
from netra_ws.decoding import decode
from netra_ws.errors import JsonError
from netra_ws.wire.urls import is_here

CONFIG_TIMEOUT_S = 5.0
"""Seconds that a server has to say it; after that it is taken for one that does not."""

PAUSE_S = 0.2
"""Seconds after which it is asked again: what keeps an answer away may be gone by then."""


class _Bounds(Struct):
    max_message_bytes: int | UnsetType = UNSET
    max_event_bytes: int = 0


class _Config(Struct):
    limits: _Bounds = msgspec.field(default_factory=_Bounds)
    client_messages: dict[str, list[str]] = {}


_decoder = msgspec.json.Decoder(_Config)


class Limits(Struct, frozen=True):
    """What `/ws/config` says. `ids`: whether messages may have an `id`."""

    ids: bool = False
    max_message_bytes: int | None = None
    max_event_bytes: int = MAX_EVENT_BYTES


async def ask_limits(
    backend_url: str, check: Callable[[], Awaitable[object]] | None = None
) -> Limits:
    """Return what the server says of itself: an older one says less, or nothing.

    One that does not answer, or only that it cannot now, is asked again within
    `CONFIG_TIMEOUT_S`. Before that `check` is awaited, and what it raises ends the asking.
    """
    until = time.monotonic() + CONFIG_TIMEOUT_S
    while (left_s := until - time.monotonic()) > 0:
        limits = await _ask(backend_url, left_s)
        if limits is not None:
            return limits
        if check is not None:
            await check()
        await asyncio.sleep(PAUSE_S)
    return Limits()


async def _ask(backend_url: str, limit_s: float) -> Limits | None:
    """Return the answer, `None` if there is none within `limit_s` seconds that would stay."""
    import aiohttp  # it takes longer than all else here, and is needed by whoever sends

    url = f"{backend_url}/ws/config"
    timeout = aiohttp.ClientTimeout(total=limit_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=not is_here(url)) as http,
            http.get(url, allow_redirects=False, headers={"Connection": "close"}) as response,
        ):
            if is_transient_status(response.status):
                return None
            if response.status != HTTPStatus.OK:
                return Limits()
            config = decode(await read_body(response), _decoder, "a configuration")
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError):
        return None  # a TimeoutError is an OSError
    # Of a proxy aiohttp asserts that it has a port.
    except (aiohttp.ClientError, ValueError, AssertionError, JsonError):
        return Limits()
    return Limits(
        "id" in config.client_messages.get("user_message", ()),
        config.limits.max_message_bytes or None,
        max(MAX_EVENT_BYTES, config.limits.max_event_bytes),
    )
