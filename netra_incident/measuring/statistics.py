"""What a number of trials proves: no figure library is needed to say it."""

from __future__ import annotations

import math
from itertools import count

TARGET = 0.95
"""The success rate that the test plan asks for."""

Z_95 = 1.959964
"""The 97.5 % quantile of the standard normal distribution: two sides of an interval of 95 %."""


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a proportion; by default at 95 %.

    Unlike the interval of the textbook, it has a width where all trials agree: twenty of twenty
    do not prove 95 %. Without trials it is all of 0 to 1. Raises `ValueError` for more successes
    than trials, or fewer than none.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927), pages 209-212.
    """
    if not 0 <= successes <= trials:
        msg = f"expected 0 <= successes <= trials, got {successes} of {trials}"
        raise ValueError(msg)
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    middle = share + z * z / (2 * trials)
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def trials_needed(share: float) -> int:
    """Return the fewest trials that prove a rate above `share`, if every one is a success.

    Of n successes in n trials the lower bound of `wilson` is n / (n + z²). Raises `ValueError`
    unless 0 <= `share` < 1: no number of trials proves more than 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"expected 0 <= share < 1, got {share}")
    estimate = math.floor(Z_95 * Z_95 * share / (1 - share))
    return next(n for n in count(max(1, estimate)) if wilson(n, n)[0] > share)
