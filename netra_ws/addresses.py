"""The address of a client: its peer's, or the one that trusted proxies name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Header: TypeAlias = Literal["X-Forwarded-For", "Forwarded"]

MAX_FORWARDED_CHARACTERS = 4096
"""Of a `Forwarded` header, from its right: the hops of a dozen proxies."""

MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses within IPv6 (RFC 4291 section 2.5.5.2)."""

NODE = re.compile(r"(?:\[(.+)\]|([^:]+))(?::[\w.-]+)?", re.ASCII)
"""A node with or without a port (RFC 7239 section 6); an IPv6 address without brackets is none."""

_PAIR = r"""([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*+"|[^\s",;]*+)"""
PAIR = re.compile(_PAIR, re.ASCII)
ELEMENT = re.compile(rf"[ \t]*+((?:{_PAIR})?(?:[ \t]*+;[ \t]*+(?:{_PAIR})?)*+)[ \t]*+", re.ASCII)


def read_address(text: str) -> Address | None:
    """Return an address, its port, brackets and zone left out, or `None` if it is none."""
    node = NODE.fullmatch(text)
    try:
        address = ip_address((node[1] or node[2] if node else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_network(text: str) -> Network:
    """Return the network of a proxy; raises `ValueError` if it is none, or everybody's."""
    try:
        network = ip_network(text)
    except ValueError as error:
        msg = f"expected an address or a network like 10.0.0.0/8; {error}"
        raise ValueError(msg) from error
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        network = ip_network((network.network_address.packed[12:], network.prefixlen - 96))
    if network.prefixlen == 0:
        raise ValueError(f"{text} trusts everybody, who could then name any address")
    return network


def subscriber(address: str) -> str:
    """Return what of an address counts: of IPv6 the first 64 bits.

    A subscriber has at least those (RFC 6177), and would have as many budgets as addresses.
    """
    read = read_address(address)
    return read.packed[:8].hex(":", 2) if isinstance(read, IPv6Address) else str(read or "")


def _listed(text: str) -> Iterator[str]:
    """Return the nodes of ``X-Forwarded-For``, the nearest first."""
    for node in reversed(text.split(",")):
        if node.strip():  # an empty element is none (RFC 9110 section 5.6.1)
            yield node.strip()


def _forwarded(text: str) -> Iterator[str]:
    """Return the nodes of ``Forwarded`` (RFC 7239), the nearest first, as far as it is one.

    From the right: so a quote that a client leaves open takes in nothing a proxy appends. What
    begins at a comma within quotes is no element, and a comma is looked at once: nobody can make
    it take long.
    """
    text = text[-MAX_FORWARDED_CHARACTERS:]
    comma = end = len(text)
    while comma >= 0:
        comma = text.rfind(",", 0, comma)
        element = ELEMENT.fullmatch(text, comma + 1, end)
        if element:
            end = comma
        if element and element[1]:
            nodes = [value for name, value in PAIR.findall(element[1]) if name.lower() == "for"]
            yield re.sub(r"\\(.)", r"\1", nodes[0].strip('"')) if len(nodes) == 1 else ""


class Proxies:
    """The proxies that are trusted to name their client in `header`, the only one that is read."""

    def __init__(self, trusted: Iterable[str], header: Header) -> None:
        self.header = header
        self._trusted = [read_network(one) for one in trusted]
        self._nodes = _forwarded if header == "Forwarded" else _listed

    def client(self, peer: str | None, lines: Iterable[str]) -> str:
        """Return the client's address: from the right of `lines`, past trusted hops only.

        A hop that cannot be read ends the walk, at the proxy that named it.
        """
        address = read_address(peer or "")
        nodes = self._nodes(",".join(lines))
        while address and any(address in network for network in self._trusted):
            hop = read_address(next(nodes, ""))
            if hop is None:
                break
            address = hop
        return str(address or "")
