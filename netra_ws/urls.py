"""Addresses as the two services print them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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
