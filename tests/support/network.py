"""Where the end-to-end tests go, and that nothing goes anywhere else."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from netra_incident.probe.logins import read_logins
from netra_ws.errors import ConfigurationError
from netra_ws.wire.urls import is_loopback, service_url

REACH_TIMEOUT_S = 4.0
"""For each of the two addresses, so that a run without its target ends within 10 s."""

STAGING_URLS = ("STAGING_BASE_URL", "STAGING_AUTH_URL")
BOTH = " and ".join(STAGING_URLS)


def staging_urls() -> list[str]:
    """Return the addresses of backend and login service, or nothing if neither is set."""
    urls = [os.environ.get(name, "").rstrip("/") for name in STAGING_URLS]
    if any(urls) and not all(urls):
        raise pytest.UsageError(f"{STAGING_URLS[urls.index('')]} is not set: set both {BOTH}")
    try:
        return [service_url(url) for url in urls if url]
    except ConfigurationError as error:
        raise pytest.UsageError(f"{BOTH}: {error}") from error


def check_staging(urls: list[str]) -> None:
    """Raise `UsageError` if there are no logins, and only then if an address does not listen."""
    try:
        read_logins()
    except ConfigurationError as error:
        raise pytest.UsageError(f"staging at {urls[0]}: {error}") from error
    for url in urls:
        _reach(url)


def _reach(url: str) -> None:
    parts = urlsplit(url)
    address = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    result: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=REACH_TIMEOUT_S).close()
            result.append("")
        except OSError as error:
            result.append(str(error))

    # A name server that says nothing cannot be interrupted, only left behind.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(REACH_TIMEOUT_S)
    why = result[0] if result else f"no answer in {REACH_TIMEOUT_S:.0f} s"
    if why:
        msg = f"{url} cannot be reached ({why}): start it, or unset {BOTH}"
        raise pytest.UsageError(f"{msg} to test a local staging deployment")


def guard(urls: list[str]) -> None:
    """Let this process resolve and reach no host but its own and those of `urls`."""
    hosts = {urlsplit(url).hostname for url in urls}
    here = all(host and is_loopback(host) for host in hosts)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
            name = host.decode() if isinstance(host, bytes) else host
            if name and name.lower() not in hosts and not is_loopback(name):
                raise RuntimeError(f"a test tried to resolve {name}")
        elif event == "socket.connect" and here:
            address = arguments[1]  # a path where it is a socket of this machine
            if isinstance(address, tuple) and not is_loopback(address[0]):
                raise RuntimeError(f"a test tried to connect to {address[0]}")

    sys.addaudithook(refuse)
