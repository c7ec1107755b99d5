"""The token bucket, on a clock of the tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netra_ws.addresses import subscriber
from netra_ws.auth.failures import MAX_BUCKETS, LoginFailures
from netra_ws.settings import Settings
from netra_ws.wire.rates import TokenBucket

START = 1_000.0
ROUNDING = 1e-6
"""Of a sum of floats near `START`."""

rates = st.floats(0.01, 100.0)
capacities = st.floats(1.0, 50.0)
gaps = st.lists(st.floats(0.0, 5.0) | st.just(0.0), max_size=60)


def moments(gaps: list[float]) -> list[float]:
    now, times = START, []
    for gap in gaps:
        now += gap
        times.append(now)
    return times


@given(rates, capacities, gaps)
def test_no_window_holds_more_than_capacity_and_rate(
    rate: float, capacity: float, gaps: list[float]
) -> None:
    bucket = TokenBucket(rate, capacity, START)
    taken = [now for now in moments(gaps) if bucket.take(now)]
    for first, begin in enumerate(taken):
        for last, end in enumerate(taken[first:], 1):
            assert last <= capacity + rate * (end - begin) + ROUNDING


@given(rates, capacities, gaps)
def test_nothing_below_the_rate_is_refused(rate: float, capacity: float, gaps: list[float]) -> None:
    bucket = TokenBucket(rate, capacity, START)
    for now in moments([gap + (1 + ROUNDING) / rate for gap in gaps]):
        assert bucket.take(now)


@given(rates, capacities, gaps)
def test_it_takes_exactly_when_a_bucket_that_counts_tokens_would(
    rate: float, capacity: float, gaps: list[float]
) -> None:
    """Against the form of the algorithm that textbooks show: a level that rises with time."""
    bucket = TokenBucket(rate, capacity, START)
    level, before = capacity, START
    for now in moments(gaps):
        level, before = min(capacity, level + (now - before) * rate), now
        if abs(level - 1) > ROUNDING:
            assert (bucket.wait(now) == 0) == (level >= 1)
            assert bucket.is_full(now) == (level == capacity) or capacity - level < ROUNDING
        if bucket.take(now):
            level -= 1


@given(rates, capacities, gaps)
def test_who_waits_as_long_as_told_gets_one_and_not_before(
    rate: float, capacity: float, gaps: list[float]
) -> None:
    bucket = TokenBucket(rate, capacity, START)
    for now in moments(gaps):
        if bucket.take(now):
            continue
        wait = bucket.wait(now)
        assert not bucket.take(now + wait - 2 * ROUNDING)
        assert bucket.take(now + wait + ROUNDING)
        break


def test_a_burst_is_as_large_as_the_capacity_and_one_comes_back_at_a_time() -> None:
    bucket = TokenBucket(2.0, 3.0, START)
    assert [bucket.take(START) for _ in range(5)] == [True, True, True, False, False]
    assert bucket.wait(START) == 0.5
    assert [bucket.take(START + 0.5) for _ in range(2)] == [True, False]


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(0.1, 1.0, START)
    assert bucket.take(START)
    bucket.give_back()
    assert bucket.is_full(START)
    assert [bucket.take(START) for _ in range(2)] == [True, False]


def test_a_full_bucket_that_is_given_one_back_holds_no_more() -> None:
    bucket = TokenBucket(0.1, 2.0, START)
    bucket.give_back()
    assert [bucket.take(START) for _ in range(3)] == [True, True, False]


def test_it_is_full_again_when_all_that_was_taken_has_come_back() -> None:
    bucket = TokenBucket(2.0, 3.0, START)
    assert bucket.is_full(START)
    assert bucket.take(START)
    assert bucket.take(START)
    assert not bucket.is_full(START + 0.9)
    assert bucket.is_full(START + 1.0)


@pytest.mark.parametrize("capacity", [0.0, 0.5])
def test_a_capacity_below_one_counts_as_one(capacity: float) -> None:
    bucket = TokenBucket(2.0, capacity, START)
    assert [bucket.take(START), bucket.take(START)] == [True, False]
    assert bucket.wait(START) == 0.5


def test_it_has_no_dict() -> None:
    assert not hasattr(TokenBucket(1.0, 1.0, START), "__dict__")


# Buckets of failed logins

WINDOW_S = 60.0


def failures() -> LoginFailures:
    return LoginFailures(Settings(max_failed_logins=2, failed_login_window_s=WINDOW_S))


def test_each_email_and_address_has_a_bucket_of_its_own() -> None:
    table = failures()
    attempts = [("ann@x", "10.0.0.1"), ("bob@x", "10.0.0.1"), ("ann@x", "10.0.0.2")]
    for email, address in attempts:
        taken = [table.bucket(email, address, START).take(START) for _ in range(3)]
        assert taken == [True, True, False]


def test_a_bucket_that_is_full_again_is_forgotten() -> None:
    table = failures()
    for n in range(100):
        assert table.bucket(f"{n}@x", "10.0.0.1", START).take(START)
    assert len(table._buckets) == 100
    later = START + WINDOW_S / 2
    table.bucket("ann@x", "10.0.0.1", later)
    assert len(table._buckets) == 1


def test_a_bucket_in_use_does_not_keep_the_ones_behind_it() -> None:
    table = failures()
    for n in range(100):
        table.bucket(f"{n}@x", "10.0.0.1", START).take(START)
    soon, later = START + WINDOW_S * 0.4, START + WINDOW_S * 0.6
    table.bucket("0@x", "10.0.0.1", soon).take(soon)
    table.bucket("ann@x", "10.0.0.1", later)
    assert len(table._buckets) == 2


def test_a_bucket_outlives_its_neighbours_while_it_is_needed() -> None:
    table = failures()
    for n in range(30):
        now = START + n * WINDOW_S / 30
        table.bucket(f"{n}@x", "10.0.0.1", now).take(now)
        while table.bucket("ann@x", "10.0.0.1", now).take(now):
            pass
    assert not table.bucket("ann@x", "10.0.0.1", now).take(now)


def test_the_table_of_failures_is_bounded() -> None:
    table = failures()
    for n in range(MAX_BUCKETS + 10):
        assert table.bucket(f"{n}@x", "10.0.0.1", START).take(START)
    assert len(table._buckets) == MAX_BUCKETS
    newest = f"{MAX_BUCKETS + 9}@x"
    assert table.bucket(newest, "10.0.0.1", START).wait(START) == 0
    assert not table.bucket(newest, "10.0.0.1", START).is_full(START)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::1", "10.0.0.1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "10.0.0.1", False),
    ],
)
def test_what_of_an_address_counts(one: str, other: str, same: bool) -> None:
    assert (subscriber(one) == subscriber(other)) is same
