"""Whose address a client has: its own, whatever it writes, unless trusted proxies name another."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netra_ws.addresses import Header, Proxies, read_network

PROXY, SECOND, STRANGER = "10.0.0.1", "fd00::1", "203.0.113.9"
TRUSTED = ("10.0.0.0/8", "fd00::/8")
CLIENT = "198.51.100.7"

FORWARDED_FOR: dict[str, tuple[list[str], str]] = {
    "nothing": ([], PROXY),
    "an empty line": ([""], PROXY),
    "one": ([CLIENT], CLIENT),
    "what the client wrote before": ([f"6.6.6.6, {CLIENT}"], CLIENT),
    "two lines": (["6.6.6.6", CLIENT], CLIENT),
    "two proxies": ([f"6.6.6.6, {CLIENT}, {SECOND}"], CLIENT),
    "two proxies, two lines": ([f"6.6.6.6,{CLIENT}", SECOND], CLIENT),
    "only proxies": (["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
    "a port": ([f"{CLIENT}:4711"], CLIENT),
    "IPv6": (["2001:db8::7"], "2001:db8::7"),
    "IPv6 in brackets": (["[2001:DB8::7]"], "2001:db8::7"),
    "IPv6 with a port": (["[2001:db8::7]:443"], "2001:db8::7"),
    "IPv6 with a zone": (["fe80::7%eth0"], "fe80::7"),
    "IPv4 in IPv6": ([f"::ffff:{CLIENT}"], CLIENT),
    "a proxy as IPv4 in IPv6": ([f"{CLIENT}, ::ffff:10.9.9.9"], CLIENT),
    "empty elements": ([f"6.6.6.6, ,{CLIENT},,", " "], CLIENT),
    "unknown": (["6.6.6.6, unknown"], PROXY),
    "obfuscated": ([f"6.6.6.6, _hidden, {SECOND}"], SECOND),
    "no address": (["6.6.6.6, 300.1.1.1"], PROXY),
    "digits of another script": (["6.6.6.6, \u0661.1.1.1"], PROXY),
    "a name": (["6.6.6.6, localhost"], PROXY),
}

FORWARDED: dict[str, tuple[list[str], str]] = {
    "nothing": ([], PROXY),
    "one": ([f"for={CLIENT}"], CLIENT),
    "upper case, and more": ([f"Proto=https;FOR={CLIENT};by=_x"], CLIENT),
    "quoted": ([f'for="{CLIENT}:4711"'], CLIENT),
    "an escape": ([r'for="198.51.\100.7"'], CLIENT),
    "IPv6": (['for="[2001:db8::7]:_port"'], "2001:db8::7"),
    "what the client wrote before": ([f"for=6.6.6.6, for={CLIENT}"], CLIENT),
    "two lines": (["for=6.6.6.6", f"for={CLIENT}"], CLIENT),
    "two proxies": ([f'for=6.6.6.6, for={CLIENT}, for="[{SECOND}]"'], CLIENT),
    "commas and semicolons in quotes": ([f'host="a, for=6.6.6.6;b";for={CLIENT}'], CLIENT),
    "a quote that the client left open": ([f'for="6.6.6.6, for={CLIENT}'], CLIENT),
    "a quote left open before quotes": (['for="6.6.6.6, for="[2001:db8::7]:1"'], "2001:db8::7"),
    "empty elements": ([f"for=6.6.6.6, for={CLIENT}, ,"], CLIENT),
    "unknown": (["for=6.6.6.6, for=unknown"], PROXY),
    "obfuscated": (["for=6.6.6.6, for=_hidden"], PROXY),
    "an element without for": (["for=6.6.6.6, proto=https"], PROXY),
    "for twice": ([f"for=6.6.6.6;for={CLIENT}"], PROXY),
    "no pair": ([f"for=6.6.6.6, {CLIENT}"], PROXY),
    "spaces around =": ([f"for=6.6.6.6, for = {CLIENT}"], PROXY),
    "too long to be read": ([f"for={CLIENT}, for=unknown;x={'y' * 5000}"], PROXY),
}


@pytest.mark.parametrize(("lines", "client"), FORWARDED_FOR.values(), ids=list(FORWARDED_FOR))
def test_x_forwarded_for_is_read_from_the_right(lines: list[str], client: str) -> None:
    proxies = Proxies(TRUSTED, "X-Forwarded-For")
    assert proxies.client(PROXY, lines) == client
    assert proxies.client(f"::ffff:{PROXY}", lines) == client
    assert proxies.client(STRANGER, lines) == STRANGER


@pytest.mark.parametrize(("lines", "client"), FORWARDED.values(), ids=list(FORWARDED))
def test_forwarded_is_read_from_the_right(lines: list[str], client: str) -> None:
    proxies = Proxies(TRUSTED, "Forwarded")
    assert proxies.client(PROXY, lines) == client
    assert proxies.client(STRANGER, lines) == STRANGER


ANYTHING = st.lists(
    st.lists(
        st.sampled_from(
            (
                *(", ", ";", '"', "\\", "for=", "for=6.6.6.6", "6.6.6.6", "[", "]", ":1", "=", "%"),
                *(PROXY, f"for={PROXY}", f'for="[{SECOND}]"', SECOND, "unknown", "_x", "host="),
            )
        )
        | st.text(max_size=5),
        max_size=12,
    ).map("".join),
    max_size=3,
)
HEADERS = st.sampled_from(["X-Forwarded-For", "Forwarded"])


@given(lines=ANYTHING, header=HEADERS)
def test_a_stranger_cannot_choose_its_address(lines: list[str], header: Header) -> None:
    assert Proxies(TRUSTED, header).client(STRANGER, lines) == STRANGER
    assert Proxies((), header).client(PROXY, lines) == PROXY


def elements(header: Header, address: str) -> list[str]:
    """Return the forms in which a proxy appends an address."""
    node = f"[{address}]" if ":" in address else address
    if header == "X-Forwarded-For":
        return [address, f"{node}:4711"]
    quoted = [f'for="{node}"', f'for="{node}:4711";proto=https', f'host="a,\\"b;";for="{node}"']
    return quoted if ":" in address else [f"for={node}", f"proto=https;for={node}", *quoted]


@given(
    lines=ANYTHING,
    header=HEADERS,
    address=st.sampled_from([CLIENT, "2001:db8::7"]),
    hops=st.integers(0, 2),
    one_line=st.booleans(),
    data=st.data(),
)
@example(
    lines=['for="'], header="Forwarded", address="2001:db8::7", hops=1, one_line=True, data=None
)
def test_behind_proxies_a_client_has_the_address_they_saw(
    lines: list[str],
    header: Header,
    address: str,
    hops: int,
    one_line: bool,
    data: st.DataObject | None,
) -> None:
    """Whatever the client wrote first, and whether they add a line or to the last one."""
    for seen in (address, *[SECOND] * hops):
        forms = elements(header, seen)
        element = data.draw(st.sampled_from(forms)) if data else forms[0]
        if one_line and lines:
            lines = [*lines[:-1], f"{lines[-1]}, {element}"]
        else:
            lines = [*lines, element]
    assert Proxies(TRUSTED, header).client(PROXY, lines) == address


def test_a_peer_without_an_address_has_none() -> None:
    assert Proxies(TRUSTED, "X-Forwarded-For").client(None, [CLIENT]) == ""


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10/8"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_network(text)


def test_a_network_of_mapped_addresses_is_one_of_ipv4() -> None:
    assert str(read_network("::ffff:10.0.0.0/104")) == "10.0.0.0/8"


LONG = [",", ", ", ",a", ';"', ',"', ',a="', ";a=b", f"for={PROXY},", 'for="\\",']


@pytest.mark.parametrize("repeated", LONG)
@pytest.mark.parametrize("last", ["", '"', f"for={PROXY}"])
def test_no_header_takes_long(repeated: str, last: str) -> None:
    """A request is refused only after its address has been read."""
    line = repeated * (64 * 1024 // len(repeated)) + last
    before = time.process_time()
    Proxies(TRUSTED, "Forwarded").client(PROXY, [line])
    assert time.process_time() - before < 0.1  # of this process: not wall time
