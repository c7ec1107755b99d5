"""Problem details for HTTP (RFC 9457): how both services say no."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

PROBLEM_TYPE = "application/problem+json"


def problem(status: HTTPStatus, detail: str) -> bytes:
    """Return the body of a problem: its status, the status's title, and what to do about it."""
    return msgspec.json.encode(
        {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    )
