"""News is told at once; what comes bit by bit, in company."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.machine import NEVER
from lashup.membership import LAN
from lashup.membership.pace import FULL, Pace

GAPS = st.lists(st.floats(0.0, 0.5), max_size=60)


def rounds(pace: Pace, *, waiting: int, until: float) -> list[float]:
    """When rounds go out where there is news all the time."""
    now, sent = 0.0, []
    while now < until:
        sent.append(now)
        pace.went_out(now=now)
        now = pace.next_at(waiting=waiting)
    return sent


def test_the_first_news_is_told_at_once():
    assert Pace(LAN).next_at(waiting=1) == -NEVER


def test_some_rounds_may_follow_each_other_closely_and_the_next_waits():
    sent = rounds(Pace(LAN), waiting=1, until=0.45)

    assert sent == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.1, 0.2, 0.3, 0.4])


def test_what_fills_a_packet_waits_for_nobody():
    sent = rounds(Pace(LAN), waiting=FULL, until=0.5)

    assert len(sent) in (25, 26)


def test_after_a_pause_the_allowance_is_there_again_and_no_more_of_it():
    pace = Pace(LAN)
    rounds(pace, waiting=1, until=1.0)

    later = [10.0]
    while later[-1] < 10.15:
        pace.went_out(now=later[-1])
        later.append(pace.next_at(waiting=1))

    assert later == pytest.approx([10.0, 10.02, 10.04, 10.06, 10.1, 10.2])


@given(GAPS)
def test_no_stretch_of_time_holds_more_rounds_than_the_burst_and_the_refill(gaps):
    pace, now, sent = Pace(LAN), 0.0, []
    for gap in gaps:
        now = max(now + gap, pace.next_at(waiting=1))
        pace.went_out(now=now)
        sent.append(now)

    for first, start in enumerate(sent):
        for count, end in enumerate(sent[first:], start=1):
            refilled = (end - start) / LAN.gossip_refill
            assert count <= LAN.gossip_burst + refilled + 1e-6
    assert all(b - a >= LAN.gossip_spacing - 1e-9 for a, b in itertools.pairwise(sent))


def test_rounds_are_rare_until_half_of_the_allowance_is_used_and_when_it_is_back():
    pace = Pace(LAN)
    rare = []
    for at in (0.0, 0.02, 0.04, 0.06):
        rare.append(pace.is_rare(now=at))
        pace.went_out(now=at)

    assert rare == [True, True, True, False]
    assert not pace.is_rare(now=0.1)
    assert pace.is_rare(now=0.31)
