"""Addresses: as the two services print them, and as people give them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from netra_ws.errors import ConfigurationError

ABSOLUTE = re.compile(
    r"https?://(?:\[[\da-f:.]+\]|[^][/?#@:]+)(?::\d*)?(/[^?]*)?(?:\?.*)?", re.IGNORECASE
)

UNRESERVED = re.compile(r"%(2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.IGNORECASE)
"""Percent-encoded letters, digits and ``-._~`` (RFC 3986 section 2.3)."""


def base_url(host: str, port: int) -> str:
    """Return the URL of a listening address, an IPv6 one in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def requested_path(target: str) -> str:
    """Return the path that a request target names, or nothing if it names none.

    It can be absolute (RFC 9112 section 3.2.2). Characters that need no percent sign are the same
    with one (RFC 3986 section 6.2.2.2); `%2F` is no slash.
    """
    if not target.startswith("/"):
        found = ABSOLUTE.fullmatch(target)
        if not found:
            return ""
        target = found[1] or "/"
    path = target.partition("?")[0]
    return UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path) if "%" in path else path


def is_here(url: str) -> bool:
    """Whether `url` leads to this machine: a proxy of the environment is for others."""
    return is_loopback(urlsplit(url).hostname or "")


def service_url(text: str) -> str:
    """Return the address of a service, without a slash at its end.

    Raises `ConfigurationError` unless it is http or https, a host, and perhaps a port and a path.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        good = False
    if not (good and text.isprintable() and re.fullmatch(r"[^\s?#@\\]+", text)):
        msg = "expected http:// or https:// and a host, such as https://backend.example.com"
        # What stands before an @ or after a ? may be secret.
        got = "a user, a query or a fragment" if re.search("[?#@]", text) else repr(text)
        raise ConfigurationError(f"{msg}; got {got}")
    return parts.geturl().rstrip("/")
