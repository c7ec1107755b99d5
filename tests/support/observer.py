"""The plain client with a notebook: what it sees of a deployment becomes properties of the test.

In JUnit XML they stand beside the test's result, so that a reader of the report sees the close
code, the HTTP status and the line that raised, and not only red or green.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import plain_client
from plain_client import ENDPOINTS, Login, Services, Session

Record = Callable[[str, object], None]


class Observer:
    """A client of one deployment; `record` takes the name and the value of a property."""

    def __init__(self, services: Services, record: Record) -> None:
        self.services = services
        self._record = record
        self._recorded: set[tuple[str, object]] = set()
        self._earlier = len(self._log())

    def see(self, name: str, value: object) -> None:
        """Record a property once."""
        if (name, value) not in self._recorded:
            self._recorded.add((name, value))
            self._record(name, value)

    async def log_in(self, user: int = 0) -> Login:
        return await plain_client.log_in(self.services.auth, list(self.services.users)[user])

    async def session(self, user: int = 0, content: str = "hello") -> Session:
        """Log in, connect, ask, and read to the end of the run."""
        login = await self.log_in(user)
        session = await plain_client.converse(self.services.backend, login, content)
        return self._seen([session])[0]

    async def sessions(self, batches: int = 1) -> list[Session]:
        """Let all users have a session at once, `batches` times."""
        return self._seen(await plain_client.run_sessions(self.services, batches))

    def _seen(self, sessions: list[Session]) -> list[Session]:
        for session in sessions:
            self.see("handshake", session.status)
            if session.status == HTTPStatus.SWITCHING_PROTOCOLS:
                self.see("close_code", session.code)
        return sessions

    async def endpoint(self, path: str) -> str:
        """Return `COMPLETE`, or in one line what the endpoint answered instead."""
        answer = await plain_client.request(self.services.backend + path)
        self.see("http_status", answer.status)
        return plain_client.endpoint_fault(path, answer) or plain_client.COMPLETE

    async def endpoints(self) -> list[str]:
        """Return `endpoint` of each of the three."""
        return [await self.endpoint(path) for path in ENDPOINTS]

    def _log(self) -> list[dict[str, Any]]:
        log = getattr(self.services, "log", None)  # staging elsewhere keeps its log to itself
        return log() if log else []

    def errors(self) -> list[str]:
        """Return what the server's log says of the routes that failed since the test began."""
        errors = [line["error"] for line in self._log()[self._earlier :] if "error" in line]
        return sorted({_described(error) for error in errors})

    def close(self) -> None:
        """Record the errors of the log as well."""
        for error in self.errors():
            self.see("error", error)


def _described(error: dict[str, Any]) -> str:
    """Return an error of the log in one line; one from outside the package has no place in it."""
    if "where" not in error:
        return f"{error['type']}: {error['message']}"
    return "{type} at {where} in {function}: {line}".format(**error)
