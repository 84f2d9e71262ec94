import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.machine import NEVER
from lashup.membership import LAN
from lashup.membership.suspicion import (
    Ladder,
    Suspicions,
    ladder,
    suspicion_timeout,
)
from tests.membership.vocabulary import node_id

LADDER = Ladder(minimum=4.0, maximum=24.0, wanted=2)


@pytest.mark.parametrize(
    ("members", "minimum", "maximum"),
    [
        (5, 4.0, 24.0),
        (10, 4.0, 24.0),
        (20, 5.2, 31.2),
        (50, 6.8, 40.8),
        (100, 8.0, 48.0),
        (500, 10.8, 64.8),
        (1_000, 12.0, 72.0),
        (5_000, 14.8, 88.8),
        (10_000, 16.0, 96.0),
    ],
)
def test_the_ladder_is_that_of_memberlist(members, minimum, maximum):
    rungs = ladder(members, config=LAN)

    assert rungs.minimum == pytest.approx(minimum, abs=0.05)
    assert rungs.maximum == pytest.approx(maximum, abs=0.2)
    assert rungs.wanted == 2


@pytest.mark.parametrize(("members", "wanted"), [(1, 0), (2, 0), (3, 0), (4, 2)])
def test_nobody_waits_for_more_confirmations_than_there_can_be(members, wanted):
    assert ladder(members, config=LAN).wanted == wanted


@given(
    wanted=st.integers(0, 9),
    minimum=st.floats(0.1, 10),
    more=st.floats(0, 100),
)
def test_each_confirmation_shortens_the_timeout_between_the_bounds(
    wanted, minimum, more
):
    maximum = minimum + more
    timeouts = [
        suspicion_timeout(c, wanted=wanted, minimum=minimum, maximum=maximum)
        for c in range(wanted + 2)
    ]

    assert timeouts[0] == (maximum if wanted else minimum)
    assert timeouts[wanted] == timeouts[-1] == minimum
    assert timeouts == sorted(timeouts, reverse=True)


def test_one_confirmation_of_two_takes_off_most_of_the_difference():
    # ln 2 / ln 3 = 0.63 of the way down.
    assert suspicion_timeout(1, wanted=2, minimum=4.0, maximum=24.0) == pytest.approx(
        11.38, abs=0.01
    )


def test_independent_accusers_bring_the_deadline_forward():
    suspicions = Suspicions()
    suspicions.start(node_id(1), node_id(2), ladder=LADDER, now=100.0)
    deadlines = [suspicions.next_wakeup()]

    for accuser in (3, 4):
        assert suspicions.confirm(node_id(1), node_id(accuser))
        deadlines.append(suspicions.next_wakeup())

    assert deadlines == pytest.approx([124.0, 111.38, 104.0], abs=0.01)


def test_an_accuser_is_counted_once_and_enough_are_enough():
    suspicions = Suspicions()
    suspicions.start(node_id(1), node_id(2), ladder=LADDER, now=100.0)

    assert not suspicions.confirm(node_id(1), node_id(2))
    assert suspicions.confirm(node_id(1), node_id(3))
    assert not suspicions.confirm(node_id(1), node_id(3))
    assert suspicions.confirm(node_id(1), node_id(4))
    assert not suspicions.confirm(node_id(1), node_id(5))


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_suspicion_that_ended_never_expires(is_alive):
    suspicions = Suspicions()
    suspicions.start(node_id(1), node_id(2), ladder=LADDER, now=100.0)

    if is_alive:
        suspicions.refute(node_id(1), now=101.0)
    else:
        suspicions.end(node_id(1))

    assert suspicions.next_wakeup() == NEVER
    assert suspicions.take_expired(now=1000.0) == []
    assert not suspicions.confirm(node_id(1), node_id(3))


def test_time_in_which_we_did_not_listen_does_not_count():
    suspicions = Suspicions()
    suspicions.start(node_id(1), node_id(2), ladder=LADDER, now=100.0)

    suspicions.postpone(30.0)

    assert suspicions.next_wakeup() == 154.0


def test_evidence_of_life_gives_a_suspect_its_whole_time_again():
    suspicions = Suspicions()
    suspicions.start(node_id(1), node_id(2), ladder=LADDER, now=100.0)

    suspicions.restart(node_id(1), now=120.0)

    assert suspicions.take_expired(now=143.9) == []
    assert suspicions.take_expired(now=144.0) == [node_id(1)]
