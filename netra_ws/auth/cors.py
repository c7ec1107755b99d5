"""Which pages may log in: the CORS protocol of the Fetch standard."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from netra_ws.origins import Origins, preflight
from netra_ws.wire.urls import requested_path


def let_pages_post(path: str, origins: Origins) -> Middleware:
    """Return what lets pages of `origins`, and no others, post JSON to `path` and read answers."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if requested_path(request.raw_path) != path:
            return await handler(request)
        named = request.headers.getall("Origin", [])
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method == "OPTIONS" and asked == "POST" and origins.grant(named):
            headers = preflight("Content-Type")
            response: web.StreamResponse = web.Response(status=204, headers=headers)
        else:
            response = await handler(request)
        response.headers.update(origins.cors(named))
        return response

    return answer
