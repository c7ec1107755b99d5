"""Addresses: as the two services print them, and as people give them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from netra_ws.errors import ConfigurationError


def base_url(host: str, port: int) -> str:
    """Return the URL of a listening address, an IPv6 one in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_origins(url: str) -> set[str]:
    """Return the origins of the pages that a service at `url` serves.

    On loopback people also write ``localhost`` into the address bar.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return {url, f"{parts.scheme}://localhost:{parts.port}"}
    return {url}


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
