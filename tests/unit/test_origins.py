"""Origins as people write them, and as browsers send them."""

from __future__ import annotations

import pytest

from netra_ws import origins
from netra_ws.origins import Origins, read_origin, read_public_url

WRITTEN = {
    "https://app.example": "https://app.example",
    "https://app.example/": "https://app.example",
    "HTTPS://App.Example": "https://app.example",
    "https://app.example:443": "https://app.example",
    "http://app.example:80/": "http://app.example",
    "https://app.example:80": "https://app.example:80",
    "http://[::0001]:8000": "http://[::1]:8000",
    "http://[2001:DB8::7]": "http://[2001:db8::7]",
    "https://b\u00fccher.example": "https://xn--bcher-kva.example",
    "https://B\u00dcCHER.example": "https://xn--bcher-kva.example",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "chrome-extension://abcdefgh": "chrome-extension://abcdefgh",
}

REFUSED = [
    "",
    "*",
    "null",
    "app.example",
    "https://",
    "https://*.app.example",
    "https://app.example/x",
]
REFUSED += [
    "https://app.example//",
    "https://app.example?x",
    "https://app.example#x",
    "//app.example",
]
REFUSED += [
    "https://user@app.example",
    "https://app.example:99999",
    "https://[::1",
    "http://fa\u00df.de",
]
REFUSED += [
    "https://app.example https://other.example",
    " https://app.example",
    "http://[fe80::1%25eth0]",
]


@pytest.mark.parametrize(("written", "sent"), WRITTEN.items())
def test_an_origin_is_compared_as_browsers_send_it(written: str, sent: str) -> None:
    assert read_origin(written) == sent


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_no_origin_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="expected an origin like") as refused:
        read_origin(written)
    assert "user@" not in str(refused.value)


def test_a_public_url_keeps_its_path() -> None:
    assert read_public_url("HTTPS://App.example:443/Chat/") == "https://app.example/Chat"
    assert read_public_url("https://app.example/") == "https://app.example"
    assert read_public_url("") == ""
    assert Origins((), "https://app.example/Chat").grant(["https://app.example"])


@pytest.mark.parametrize(
    "text", ["app.example/chat", "ftp://x", "https://u@x/", "https://x/?y", "1"]
)
def test_what_is_no_public_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_public_url(text)


def test_where_any_address_can_be_bound_only_loopback_is_known_to_be_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where `ip_nonlocal_bind` of Linux is set."""
    monkeypatch.setattr(origins, "_binds", lambda _address: True)
    own = Origins((), "")
    own.listen("0.0.0.0", 8000)
    assert own.grant(["http://127.0.0.1:8000"])
    assert not own.grant(["http://198.51.100.7:8000"])
