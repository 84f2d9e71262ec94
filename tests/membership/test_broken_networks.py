"""Splits, whole and partial: who is given up, how soon, and who is not."""

import pytest

from lashup.membership import LAN, Failed, Liveness, Swim
from lashup.membership.messages import Nack
from tests.membership.conversation import receive, until_helpers_are_asked
from tests.membership.vocabulary import cluster, seen


def all_given_up(side, other) -> bool:
    return all(
        seen(swim, lost.me.id) is Liveness.DOWN for swim in side for lost in other
    )


@pytest.mark.parametrize("share", [16, 20])
def test_both_sides_of_a_split_give_each_other_up_long_before_the_ladder(share):
    world, swims = cluster(40, seed=1)
    side, other = swims[:share], swims[share:]

    world.divide(side, other)
    seconds = world.run_until(
        lambda: all_given_up(side, other) and all_given_up(other, side), within=60.0
    )

    assert seconds < {16: 25.0, 20: 10.0}[share]
    assert not any(
        seen(swim, peer.me.id) is Liveness.DOWN
        for half in (side, other)
        for swim in half
        for peer in half
    )


@pytest.mark.parametrize("seed", range(2))
def test_two_groups_that_hear_only_those_in_between_give_nobody_up(seed):
    world, swims = cluster(40, seed=seed)
    between, rest = swims[:5], swims[5:]

    world.divide(rest[::2], rest[1::2])
    world.run(30.0)

    assert len(between) == 5
    assert world.heard(Failed) == []


def tick_on(swim: Swim, *, until_time: float) -> None:
    while (now := swim.next_wakeup()) < until_time:
        swim.tick(now=now)


@pytest.mark.parametrize(
    ("doubted_before", "after"),
    [(0.5, Liveness.SUSPECT), (1.5, Liveness.DOWN)],
)
def test_where_one_witness_is_silent_a_member_is_doubted_a_period_before_it_is_down(
    doubted_before, after
):
    world, swims = cluster(12, seed=1)
    prober = swims[0]
    probe = until_helpers_are_asked(prober, now=world.now)
    doubted_at = probe.began + LAN.probe_period - doubted_before
    prober._beliefs.doubt(probe.target, now=doubted_at)

    tick_on(prober, until_time=probe.at + 0.6)
    for sender in probe.helpers[1:]:
        receive(
            prober,
            Nack(probe.seq, probe.target, 0.6),
            sender=sender,
            now=probe.at + 0.6,
        )
    before = seen(prober, probe.target)
    tick_on(prober, until_time=probe.began + LAN.probe_period + 0.01)

    assert before is Liveness.SUSPECT
    assert seen(prober, probe.target) is after
