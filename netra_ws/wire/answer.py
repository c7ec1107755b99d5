"""Plain HTTP answers, after which the connection closes; a refusal is a problem (RFC 9457)."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

import msgspec

PROBLEM_TYPE = "application/problem+json"

RETRY_AFTER_S = 5
"""Seconds after which a client may try again when there is no room (RFC 9110 section 10.2.3)."""


class Answer(NamedTuple):
    """An HTTP response."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes

    def serialize(self, *, with_body: bool = True) -> bytes:
        """Return its bytes; a HEAD is answered without the body."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head + self.body if with_body else head


def response(
    status: HTTPStatus, body: bytes, content_type: str, headers: dict[str, str] | None = None
) -> Answer:
    """Return an answer after which the connection closes."""
    standard = {
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": content_type,
        "Cache-Control": "no-store",
    }
    return Answer(status, standard | (headers or {}), body)


def no_room() -> Answer:
    """Return the refusal of a client for whom there is no room now."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return refuse(HTTPStatus.SERVICE_UNAVAILABLE, "no room; try again later", headers)


def problem(status: HTTPStatus, detail: str) -> bytes:
    """Return the body of a problem: its status, the status's title, and what to do about it."""
    return msgspec.json.encode(
        {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    )


def refuse(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Answer:
    """Return a problem as an answer."""
    return response(status, problem(status, detail), PROBLEM_TYPE, headers)
