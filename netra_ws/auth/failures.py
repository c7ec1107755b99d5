"""How many logins of one email from one address may fail."""

from __future__ import annotations

from hashlib import blake2b

from netra_ws.addresses import subscriber
from netra_ws.settings import Settings
from netra_ws.wire.rates import TokenBucket

MAX_BUCKETS = 10_000
"""Buckets kept: some two megabytes. To have one forgotten before its time takes so many other
failed logins, at seven a second (two cores, measured) twenty minutes of them."""


class LoginFailures:
    """A bucket for each (email, client address): what is in it is how many logins may fail.

    An email counts as it is written, known or not, just as it is looked up. A bucket that is full
    again is forgotten, and never more than `MAX_BUCKETS` are kept.
    """

    def __init__(self, settings: Settings) -> None:
        self._capacity = settings.max_failed_logins
        self._rate_per_s = settings.max_failed_logins / settings.failed_login_window_s
        self._buckets: dict[bytes, TokenBucket] = {}  # the least recently used one first

    def bucket(self, email: str, address: str, now: float) -> TokenBucket:
        """Return the bucket of an email and an address at `now`, seconds of a monotonic clock.

        An attempt takes one at its start, so that many at a time are not all looked at before the
        first has failed, and gives it back if it succeeds.
        """
        while self._buckets:  # drop from the front what is full again, and one if there are many
            first = next(iter(self._buckets))
            if not self._buckets[first].is_full(now) and len(self._buckets) < MAX_BUCKETS:
                break
            del self._buckets[first]
        name = f"{subscriber(address)} {email}".encode()
        key = blake2b(name, digest_size=16).digest()
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate_per_s, self._capacity, now)
        self._buckets[key] = bucket
        return bucket
