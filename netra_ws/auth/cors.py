"""Which pages may log in: the CORS protocol of the Fetch standard, for origins as they are.

A page of another origin gets the answers that it got before there was a page: a browser keeps
them from it. No answer ever names `*`, and none allows cookies, of which there are none.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "600",  # seconds for which a browser need not ask again
}


def let_pages_post(path: str, origins: AbstractSet[str]) -> Middleware:
    """Return what lets pages of `origins`, and no others, post JSON to `path` and read answers."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != path:
            return await handler(request)
        named = request.headers.getall("Origin", [])
        is_granted = len(named) == 1 and named[0] in origins
        asked = request.headers.get("Access-Control-Request-Method")
        if is_granted and request.method == "OPTIONS" and asked == "POST":
            response: web.StreamResponse = web.Response(status=204, headers=PREFLIGHT)
        else:
            response = await handler(request)
        response.headers["Vary"] = "Origin"
        if is_granted:
            response.headers["Access-Control-Allow-Origin"] = named[0]
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response

    return answer
