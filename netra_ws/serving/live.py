"""The live page, `live.html`: a client in the browser, served by the backend at ``/``."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from netra_ws.wire.urls import base_url

if TYPE_CHECKING:  # a backend alone hashes no passwords
    from netra_ws.auth.users import DemoUser

PANELS = 2
"""Users whom the page shows side by side."""


@cache
def _source() -> str:
    return Path(__file__).with_name("live.html").read_text(encoding="utf-8")


@cache
def _hash_of(element: str) -> str:
    """Return what allows the content of the file's one `element` (CSP level 3)."""
    (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", _source(), re.DOTALL)
    return f"'sha256-{base64.b64encode(sha256(inside.encode()).digest()).decode()}'"


def _reachable(auth_url: str | None) -> str | None:
    """Return the address unless it is one like `0.0.0.0`, which a browser cannot use."""
    try:
        host = urlsplit(auth_url or "").hostname or ""
        return None if not host or ip_address(host).is_unspecified else auth_url
    except ValueError:  # a name
        return auth_url


def _login_source(auth_url: str | None) -> str:
    """Return where the page may log in: anywhere if the person has to name the address."""
    if auth_url is None:
        return "http: https:"
    return "http:" if "[" in auth_url else auth_url  # the policy has no form for IPv6


def page(auth_url: str | None, commit: str = "unknown") -> bytes:
    """Return the page; without `auth_url` it asks for the address of the login service."""
    named = _reachable(auth_url)
    port = urlsplit(auth_url).port if auth_url and not named else None
    fields = {"auth_url": named or "", "auth_port": str(port or ""), "commit": commit}
    text = _source()
    for name, value in fields.items():
        text = text.replace(f"{{{{ {name} }}}}", escape(value))
    return text.encode()


def page_headers(auth_url: str | None) -> dict[str, str]:
    """Return the headers that go with `page`."""
    policy = {
        "default-src": "'none'",
        "script-src": _hash_of("script"),
        "style-src": _hash_of("style"),
        "img-src": "data:",  # the icon
        "worker-src": "blob:",  # the socket's
        "connect-src": f"'self' {_login_source(_reachable(auth_url))}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def address_to_open(url: str, public_url: str, demo_users: Sequence[DemoUser]) -> str:
    """Return where a browser on this machine finds the page of a backend that listens at `url`.

    The logins of demo users stand behind the `#`: browsers send that to nobody, and so only who
    reads the address has them.
    """
    parts = urlsplit(url)
    host = ip_address(parts.hostname or "")
    if host.is_unspecified:
        url = base_url("127.0.0.1" if host.version == 4 else "::1", parts.port or 0)
    logins = urlencode({user.email: user.password for user in demo_users[:PANELS]})
    return f"{public_url or url}/{logins and '#'}{logins}"
