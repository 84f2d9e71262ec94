import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.membership.witnesses import (
    VainPings,
    choose_witnesses,
    witnesses_needed,
)
from tests.membership.vocabulary import node_id

LIVE = sorted(node_id(n) for n in range(50))


@pytest.mark.parametrize(
    ("share", "others", "needed"),
    [
        (0.0, 98, 8),  # 0.1 ** 9 is 10**-9: the prober and eight more
        (0.1, 98, 8),
        (0.15, 98, 10),
        (0.2, 98, 12),
        (0.3, 98, None),  # 18 would be needed
        (0.9, 98, None),
        (0.0, 3, 3),  # all of a small cluster
        (0.0, 1, 1),
        (0.0, 0, None),  # of two members neither can outvote the other
        (0.15, 8, None),
    ],
)
def test_the_more_pings_are_in_vain_the_more_witnesses_are_needed(
    share, others, needed
):
    assert witnesses_needed(share, others=others, most=14) == needed


def test_one_ping_in_vain_is_forgotten_after_many_answers():
    pings = VainPings()

    pings.in_vain()
    after_one = pings.share
    for _ in range(64):
        pings.answered()

    assert after_one == pytest.approx(1 / 16)
    assert pings.share < after_one / 2


def test_a_network_that_loses_a_third_of_all_soon_needs_too_many_witnesses():
    pings = VainPings()

    for _ in range(10):
        pings.in_vain()
        pings.answered()

    assert witnesses_needed(pings.share, others=98, most=14) is None


def test_nothing_but_failures_is_no_certainty():
    pings = VainPings()

    for _ in range(10_000):
        pings.in_vain()

    assert witnesses_needed(pings.share, others=98, most=14) is None


@given(count=st.integers(0, 60), case=st.binary(max_size=8), out=st.integers(0, 49))
def test_witnesses_are_distinct_members_and_not_those_concerned(count, case, out):
    without = frozenset((LIVE[out], node_id(999)))

    chosen = choose_witnesses(
        count, live=LIVE, without=without, hash_key=b"k", about=(case,)
    )

    assert len(chosen) == len(set(chosen)) == min(count, 49)
    assert set(chosen) <= set(LIVE) - without


def test_whoever_holds_nearly_the_same_table_chooses_nearly_the_same_witnesses():
    def choose(live):
        return choose_witnesses(
            5, live=live, without=frozenset(), hash_key=b"k", about=(b"case",)
        )

    assert choose(LIVE) == choose(LIVE)
    assert all(len(set(choose(LIVE)) & set(choose(LIVE[:at] + LIVE[at + 1 :]))) >= 4
               for at in range(50))  # fmt: skip
