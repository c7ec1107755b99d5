"""The origins whose pages may log in, connect and log out."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from netra_ws.addresses import Address, read_address

NOWHERE = {4: ip_address("192.0.2.1"), 6: ip_address("2001:db8::1")}
"""Addresses that are nobody's: they are for documentation (RFC 5737, RFC 3849)."""

DEFAULT_PORTS = {"http": 80, "https": 443}


def read_origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, without a default port.

    Raises `ValueError` if it is none.
    """
    bare = text.removesuffix("/")
    try:
        parts = urlsplit(bare)
        if not re.fullmatch(r"[a-zA-Z][\w+.-]*://[^\s/?#@*%\\]+", bare) or not parts.hostname:
            raise ValueError
        return _origin(parts.scheme, parts.hostname, parts.port)
    except ValueError:
        got = "a user in it" if "@" in text else repr(text)
        raise ValueError(f"expected an origin like https://app.example.com, got {got}") from None


def read_public_url(text: str) -> str:
    """Return the URL of a page, without a slash at its end, or nothing for nothing.

    Raises `ValueError` unless it is http or https, a host, and perhaps a port and a path.
    """
    if text and not re.fullmatch(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?", text, re.IGNORECASE):
        raise ValueError("expected a URL like https://app.example.com/chat, got something else")
    return text and origin_of(text) + urlsplit(text).path.rstrip("/")


def origin_of(url: str) -> str:
    """Return the origin of the pages below `url`."""
    return read_origin("/".join(url.split("/", 3)[:3]))


def _origin(scheme: str, host: str, port: int | None) -> str:
    shown = "" if port in {None, DEFAULT_PORTS.get(scheme)} else f":{port}"
    if ":" in host:
        return f"{scheme}://[{ip_address(host)}]{shown}"
    # A name that IDNA 2003 changes is not what browsers make of it.
    punycode = host if host.isascii() else host.encode("idna").decode()
    if not host.isascii() and punycode.encode().decode("idna") != host:
        raise ValueError
    return f"{scheme}://{punycode}{shown}"


class Origins:
    """Those named, and this machine's own, whatever a `Host` header says."""

    def __init__(self, named: Iterable[str], public_url: str) -> None:
        self._named = {*named, *([origin_of(public_url)] if public_url else [])}
        self._ports: set[int] = set()
        """Where something listens on every address of this machine."""

    def listen(self, host: str, port: int) -> None:
        """Add the origins of what is served at an address; on loopback people write localhost."""
        address = read_address(host)
        assert address is not None
        self._named.add(_origin("http", str(address), port))
        if address.is_unspecified:
            self._ports.add(port)
        if address.is_unspecified or address.is_loopback:
            self._named.add(_origin("http", "localhost", port))

    def include(self, other: Origins) -> None:
        """Add those of another service."""
        self._named |= other._named
        self._ports |= other._ports

    def grant(self, lines: Sequence[str]) -> bool:
        """Return whether pages may ask that send these `Origin` headers; compared as they are."""
        return len(lines) == 1 and (lines[0] in self._named or self._is_own(lines[0]))

    def _is_own(self, origin: str) -> bool:
        """Return whether it is an address of this machine, where all of them are listened on."""
        try:
            parts = urlsplit(origin)
            if (parts.port or DEFAULT_PORTS["http"]) not in self._ports:
                return False
            address = ip_address(parts.hostname or "")
        except ValueError:
            return False
        if "%" in origin:  # browsers send no zone, and a socket may not take what stands there
            return False
        return origin == _origin("http", str(address), parts.port) and is_here(address)

    def cors(self, lines: Sequence[str]) -> dict[str, str]:
        """Return what an answer says to a page (CORS, in the Fetch standard).

        None names `*`, and none allows cookies, of which there are none.
        """
        if not self.grant(lines):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": lines[0],
            "Access-Control-Expose-Headers": "Retry-After",
        }


def preflight(headers: str) -> dict[str, str]:
    """Return the answer to a browser that asks whether a page may post with these headers."""
    return {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": headers,
        "Access-Control-Max-Age": "600",  # seconds for which a browser need not ask again
    }


def is_here(address: Address) -> bool:
    """Return whether an address is this machine's, now: a socket can be bound to it.

    Unlike a list made at the start, this stays true when interfaces change. Where sockets can be
    bound to any address (`ip_nonlocal_bind` of Linux), nothing but loopback is known to be here.
    """
    if address.is_loopback:
        return True
    return _binds(address) and not _binds(NOWHERE[address.version])


def _binds(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family) as one:
            one.bind((str(address), 0))
    except OSError:
        return False
    return True
