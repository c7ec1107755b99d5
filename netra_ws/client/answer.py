"""The body of an HTTP answer, read no further than anybody wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes longer than all else here
    from aiohttp import ClientResponse

MAX_BODY_BYTES = 1 << 20
"""A server's limits, or a login, take some thousand."""


async def read_body(response: ClientResponse) -> bytes:
    """Return the body of an answer; raises `ValueError` if it is longer than `MAX_BODY_BYTES`."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"expected a body of at most {MAX_BODY_BYTES:,} bytes, got more")
    return bytes(body)
