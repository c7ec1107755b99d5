"""How many logins of one email from one address may fail."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

from netra_ws.settings import Settings
from netra_ws.wire.rates import TokenBucket

MAX_BUCKETS = 10_000
"""Buckets kept: some two megabytes. To have one forgotten before its time takes so many other
failed logins, at seven a second (two cores, measured) twenty minutes of them."""


def client_network(address: str | None) -> str:
    """Return what of an address counts: of IPv6 the first 64 bits, which one subscriber owns.

    An IPv4 address within IPv6 counts as itself (RFC 4291 section 2.5.5.2); no address as one.
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex(":", 2)


class LoginFailures:
    """A bucket for each (email, client address): what is in it is how many logins may fail.

    An email counts as it is written, known or not, just as it is looked up: another spelling is
    another email, so it is no way around the limit. Memory is bounded: a bucket that is full
    again is forgotten, and never more than `MAX_BUCKETS` are kept.

    Guarded by tests/integration/test_login_security.py::test_a_failed_login_too_many_is_429 and
    tests/unit/test_rates.py::test_the_table_of_failures_is_bounded
    """

    def __init__(self, settings: Settings) -> None:
        self._capacity = settings.max_failed_logins
        self._rate_per_s = settings.max_failed_logins / settings.failed_login_window_s
        self._buckets: dict[bytes, TokenBucket] = {}  # the least recently used one first

    def __len__(self) -> int:
        """Return how many buckets are kept."""
        return len(self._buckets)

    def bucket(self, email: str, address: str | None, now: float) -> TokenBucket:
        """Return the bucket of an email and an address at `now`, seconds of a monotonic clock.

        An attempt takes one at its start, so that many at a time are not all looked at before the
        first has failed, and gives it back if it succeeds.
        """
        self._forget(now)
        name = f"{client_network(address)} {email}".encode()
        key = blake2b(name, digest_size=16).digest()
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate_per_s, self._capacity, now)
        self._buckets[key] = bucket
        return bucket

    def _forget(self, now: float) -> None:
        """Drop from the front what is full again, and one more if there are too many."""
        while self._buckets:
            key, bucket = next(iter(self._buckets.items()))
            if not bucket.is_full(now) and len(self._buckets) < MAX_BUCKETS:
                break
            del self._buckets[key]
