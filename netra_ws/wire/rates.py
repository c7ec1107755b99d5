"""How often something may happen: an average rate, with room for bursts."""

from __future__ import annotations

import math
from functools import cache

AWAY_S = 1.0
"""Seconds between two looks from which the process counts as away: twice those of the server."""

BACKLOG_S = 10.0
"""Seconds after which what came meanwhile has been read."""


@cache
def _pace(rate_per_s: float, capacity: float) -> tuple[float, float]:
    """Return the seconds from token to token, and those of a whole bucket but one.

    All buckets of a kind share the two: a pair for each would be a cache miss for each message.
    """
    return 1.0 / rate_per_s, max(capacity - 1.0, 0.0) / rate_per_s


class TokenBucket:
    """A bucket of `capacity` tokens that fills again with `rate_per_s`; each event takes one.

    So in any `t` seconds at most ``capacity + rate_per_s * t`` events pass, and whoever stays
    below the rate always does. A capacity below one counts as one, or nothing would ever pass.
    Times are seconds of one monotonic clock. The state is the time at which the bucket is full
    again (the virtual scheduling form of the algorithm, ITU-T I.371): a refusal writes nothing.
    """

    __slots__ = ("_full_at", "_interval_s", "_slack_s")

    def __init__(self, rate_per_s: float, capacity: float, now: float) -> None:
        self._interval_s, self._slack_s = _pace(rate_per_s, capacity)
        self._full_at = now

    def take(self, now: float) -> bool:
        """Take a token; returns whether there was one."""
        full_at = self._full_at
        if full_at < now:
            full_at = now
        elif full_at - now > self._slack_s:
            return False
        self._full_at = full_at + self._interval_s
        return True

    def tokens_in(self, seconds: float) -> float:
        """Return how many tokens come in so much time."""
        return seconds / self._interval_s

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token; 0 if there is one."""
        return max(0.0, self._full_at - now - self._slack_s)

    def give_back(self) -> None:
        """Undo one `take`; a full bucket stays full."""
        self._full_at -= self._interval_s

    def is_full(self, now: float) -> bool:
        """Return whether this bucket is as good as a new one, and can be forgotten."""
        return self._full_at <= now


class Absence:
    """How long this process was away: paused or blocked, while peers went on at their rate."""

    __slots__ = ("_away_s", "_back_at", "_excused", "_seen_at")

    def __init__(self) -> None:
        self._seen_at = math.inf
        self._back_at = -math.inf
        self._away_s = 0.0
        self._excused: dict[TokenBucket, float] = {}  # and what is left of their tokens

    def look(self, now: float) -> None:
        """Note that the process is there; to be called more often than every `AWAY_S`."""
        away_s = now - self._seen_at
        self._seen_at = now
        if away_s > AWAY_S:
            self._back_at, self._away_s = now, away_s
            self._excused.clear()

    def excuses(self, bucket: TokenBucket, now: float) -> bool:
        """Take one of the tokens that came into an empty bucket meanwhile, if there is one."""
        self.look(now)
        left = self._excused.get(bucket, bucket.tokens_in(self._away_s))
        if now - self._back_at > BACKLOG_S or left < 1:
            return False
        self._excused[bucket] = left - 1
        return True
