"""Plain HTTP answers of the backend; after each the connection closes."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Response

from netra_ws.wire.problem import PROBLEM_TYPE, problem


def response(
    status: HTTPStatus, body: bytes, content_type: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an HTTP response after which the connection closes."""
    return Response(
        status.value,
        status.phrase,
        Headers(
            {
                "Date": formatdate(usegmt=True),
                "Connection": "close",
                "Content-Length": str(len(body)),
                "Content-Type": content_type,
                "Cache-Control": "no-store",
                **(headers or {}),
            }
        ),
        body,
    )


RETRY_AFTER_S = 5
"""Seconds after which a client may try again when there is no room (RFC 9110 section 10.2.3)."""


def no_room() -> Response:
    """Return the refusal of a client for whom there is no room now."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return refuse(HTTPStatus.SERVICE_UNAVAILABLE, "no room; try again later", headers)


def refuse(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem response (RFC 9457)."""
    return response(status, problem(status, detail), PROBLEM_TYPE, headers)
