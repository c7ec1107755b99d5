"""Which pages may log in: the CORS protocol of the Fetch standard, for origins as they are.

A page of another origin gets the answers that it got before there was a page: a browser keeps
them from it. No answer ever names `*`, and none allows cookies, of which there are none.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from aiohttp import web

PREFLIGHT_S = 600
"""Seconds for which a browser need not ask again whether it may send a login."""


def granted(request: web.Request, origins: AbstractSet[str]) -> dict[str, str]:
    """Return the headers that let the page read the answer; for a page not of `origins` none do."""
    vary = {"Vary": "Origin"}
    match request.headers.getall("Origin", []):
        case [origin] if origin in origins:
            return {
                **vary,
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Expose-Headers": "Retry-After",
            }
    return vary


def preflight(request: web.Request, origins: AbstractSet[str]) -> web.Response | None:
    """Return the answer to a browser that asks whether a page may log in; `None` if it may not.

    It asks because a login is JSON, which no form can send.
    """
    asked = request.headers.get("Access-Control-Request-Method")
    headers = granted(request, origins)
    if request.method != "OPTIONS" or asked != "POST" or len(headers) == 1:
        return None
    return web.Response(
        status=204,
        headers={
            **headers,
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        },
    )
