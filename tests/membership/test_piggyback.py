"""When rounds of gossip go out."""

import random
from dataclasses import replace

import pytest

from lashup.machine import NEVER
from lashup.membership import LAN, Liveness
from lashup.membership.beliefs import Beliefs
from lashup.membership.member import Belief
from lashup.membership.piggyback import Piggyback
from tests.membership.vocabulary import node_id, record


def gossiping(*, peers: int, updates: int) -> Piggyback:
    """One that has told what it knew at first, and has other updates to spread."""
    beliefs = Beliefs(record(0), LAN, now=0.0)
    for number in range(1, peers + 1):
        beliefs.believe(Belief(record(number), Liveness.ALIVE), now=0.0)
        beliefs.updates.discard(node_id(number))
    for number in range(updates):
        beliefs.updates.put(node_id(1_000 + number), bytes(60))
    return Piggyback(beliefs, LAN, rng=random.Random(1))


@pytest.mark.parametrize(
    ("updates", "pause"), [(0, 0.2), (40, 0.2), (96, 0.1), (240, 0.04), (5_000, 0.02)]
)
def test_what_waits_goes_out_once_a_gossip_period_however_much_it_is(updates, pause):
    piggyback = gossiping(peers=50, updates=updates)

    sends = piggyback.gossip(now=1.0)

    assert len(sends) == LAN.gossip_nodes
    assert piggyback.next_wakeup() == pytest.approx(1.0 + pause, rel=0.05)


def test_with_nobody_to_tell_there_are_no_rounds():
    piggyback = gossiping(peers=0, updates=3)

    assert piggyback.gossip(now=1.0) == []
    assert piggyback.next_wakeup() == NEVER


def test_a_death_is_told_to_enough_for_all_and_one_of_many_to_the_usual_few():
    piggyback = gossiping(peers=50, updates=0)
    piggyback.gossip(now=0.0)
    now, sizes = 1.0, []
    for number, pause in enumerate([0.0] * 19 + [1.0], start=1):
        now += pause
        down = Belief(record(number), Liveness.DOWN, node_id(0))
        piggyback._beliefs.believe(down, now=now)
        now = max(now, piggyback._pace.next_at(waiting=1))
        sizes.append(len(piggyback.gossip(now=now)))

    assert sizes[:2] == [7, 7]
    assert set(sizes[3:-1]) == {3}
    assert sizes[-1] == 7


@pytest.mark.parametrize(
    "says", [{"addresses": (("10.9.9.9", 1),)}, {"tags": {"zone": "b"}}]
)
def test_who_hears_that_a_member_is_elsewhere_tells_enough_for_all(says):
    piggyback = gossiping(peers=50, updates=0)
    piggyback.gossip(now=0.0)
    moved = replace(record(7, incarnation=1), **says)

    piggyback._beliefs.believe(Belief(moved, Liveness.ALIVE), now=1.0)

    assert len(piggyback.gossip(now=1.0)) == 7


def test_what_this_node_says_anew_of_itself_is_told_to_enough_for_all():
    piggyback = gossiping(peers=50, updates=0)
    piggyback.gossip(now=0.0)

    piggyback._beliefs.set_addresses((("10.9.9.9", 1),), now=1.0)

    assert len(piggyback.gossip(now=1.0)) == 7
