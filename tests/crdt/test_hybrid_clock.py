"""Timestamps rise with every write, follow others, but not beyond the skew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt.hybrid_clock import HybridClock, seconds

walls = st.floats(0, 4e9) | st.floats(-10, 10)
#: What happens to a clock: a write, or somebody's timestamp.
happenings = st.lists(st.tuples(walls, st.none() | st.integers(0, (1 << 64) - 1)))


@given(happenings)
def test_each_timestamp_is_greater_than_all_before_and_than_all_followed(steps):
    clock = HybridClock(max_skew=60.0)
    greatest = -1
    for wall, theirs in steps:
        if theirs is None:
            stamp = clock.stamp(wall=wall)
            assert stamp > greatest
            greatest = stamp
        elif clock.observe(theirs, wall=wall) == 0.0:
            greatest = max(greatest, theirs)


@given(happenings)
def test_nobody_drags_it_further_ahead_than_the_skew(steps):
    clock = HybridClock(max_skew=60.0)
    latest = 0.0
    for written, (wall, theirs) in enumerate(steps):
        latest = max(latest, wall)
        if theirs is None:
            stamp = clock.stamp(wall=wall)
            assert seconds(stamp) <= latest + 60.0 + 0.001 * (written + 1)
        else:
            clock.observe(theirs, wall=wall)


@given(st.floats(0, 4e9), st.floats(0, 1e5))
def test_the_skew_told_is_what_exceeds_the_permitted(wall, ahead):
    clock = HybridClock(max_skew=60.0)
    theirs = HybridClock().stamp(wall=wall + ahead)

    told = clock.observe(theirs, wall=wall)

    assert abs(told - max(0.0, ahead - 60.0)) < 0.01


@given(st.floats(0, 4e9))
def test_a_timestamp_tells_the_wall_time_to_the_millisecond(wall):
    assert abs(seconds(HybridClock().stamp(wall=wall)) - wall) <= 0.0011


def test_more_than_65536_writes_in_a_millisecond_go_on_rising():
    clock = HybridClock()
    stamps = [clock.stamp(wall=5.0) for _ in range(70_000)]

    assert stamps == sorted(set(stamps))
    assert seconds(stamps[-1]) < 5.01
