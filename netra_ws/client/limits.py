"""What a server says that it takes, and what it sends."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from netra_ws.client.channel import MAX_EVENT_BYTES
from netra_ws.decoding import decode
from netra_ws.errors import JsonError
from netra_ws.wire.urls import is_here

CONFIG_TIMEOUT_S = 5.0
"""Seconds that a server has to say it; after that it is taken for one that does not."""

MAX_CONFIG_BYTES = 1 << 20


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


async def ask_limits(backend_url: str) -> Limits | None:
    """Return what the server says: an older one says less. `None` if there is no answer."""
    import aiohttp  # it takes longer than all else here, and is needed by whoever sends

    url = f"{backend_url}/ws/config"
    timeout = aiohttp.ClientTimeout(total=CONFIG_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=not is_here(url)) as http,
            http.get(url, allow_redirects=False, headers={"Connection": "close"}) as response,
        ):
            response.raise_for_status()
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > MAX_CONFIG_BYTES:
                    return Limits()
        config = decode(bytes(body), _decoder, "a configuration")
    except (aiohttp.ClientConnectionError, OSError):  # a TimeoutError is an OSError
        return None
    except (aiohttp.ClientError, ValueError, JsonError):
        return Limits()
    return Limits(
        "id" in config.client_messages.get("user_message", ()),
        config.limits.max_message_bytes or None,
        max(MAX_EVENT_BYTES, config.limits.max_event_bytes),
    )
