import itertools
import random
from dataclasses import replace

import pytest

from lashup.membership import LAN, Failed, Liveness, Reaped
from lashup.membership.beliefs import Beliefs
from lashup.membership.healing import Healing
from lashup.membership.joining import Joining
from lashup.membership.member import Belief
from tests.membership.vocabulary import (
    World,
    address,
    cluster,
    node_id,
    record,
    seen,
)


@pytest.mark.parametrize("size", [2, 5, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_partition_heals_though_both_sides_declared_the_other_down(size, seed):
    world, swims = cluster(size, seed=seed)
    ones, others = swims[: size // 2], swims[size // 2 :]
    world.divide(ones, others)
    world.run(60.0)
    assert all(
        seen(a, b.me.id) is seen(b, a.me.id) is Liveness.DOWN
        for a in ones
        for b in others
    )

    world.heal()

    world.converge(within=2.0)


def test_many_members_are_equal_again_in_little_more_than_a_second():
    world, swims = cluster(80, seed=2)
    world.divide(swims[:40], swims[40:])
    world.run(30.0)

    world.heal()

    assert world.converge(within=2.0) < 1.4


def test_all_of_a_cluster_together_try_as_often_at_any_time():
    """Found by `simulations run partition --nodes 1000`: none tried before 125 s."""
    beliefs = Beliefs(record(0), LAN, now=0.0)
    for number in range(1, 200):
        beliefs.believe(Belief(record(number), Liveness.ALIVE), now=0.0)
    beliefs.believe(Belief(record(200), Liveness.ALIVE), now=0.0)
    beliefs.give_up(node_id(200), now=0.0)
    tries = []
    for seed in range(200):
        rng = random.Random(seed)
        joining = Joining(beliefs, LAN, next_seq=lambda: 0, rng=rng)
        healing = Healing(
            beliefs, LAN, joining=joining, next_seq=lambda: 0, rng=rng,
            now=0.0,
        )  # fmt: skip
        while (now := healing.next_wakeup()) < 200.0:
            tries += [now] * len(healing.tick(now=now))

    # But for the first try of each, at its start.
    expected = 10 * LAN.heal_rate
    counts = [sum(at <= t < at + 10 for t in tries) for at in range(1, 190, 10)]
    assert all(expected / 2 < count < expected * 2 for count in counts)


def test_the_first_word_of_one_that_was_down_has_both_tables_compared_at_once():
    world, swims = cluster(20, seed=1)
    ones, others = swims[:10], swims[10:]
    world.divide(ones, others)
    world.run(60.0)

    world.heal()
    met = world.run_until(
        lambda: any(seen(a, b.me.id) is Liveness.ALIVE for a in ones for b in others),
        within=5.0,
    )
    most = world.run_until(
        lambda: any(len(swim.alive()) == 20 for swim in swims), within=5.0
    )

    assert met < 1.0
    assert most < 0.1


def test_a_partition_of_three_parts_heals():
    world, swims = cluster(15, seed=1)
    parts = [swims[:5], swims[5:10], swims[10:]]
    for one in parts:
        world.divide(one, [s for part in parts if part is not one for s in part])
    world.run(60.0)

    world.heal()

    world.converge(within=2.0)


def test_a_partition_of_an_hour_heals_as_fast():
    world, swims = cluster(6, seed=1)
    world.divide(swims[:3], swims[3:])
    world.run(3600.0)

    world.heal()

    world.converge(within=2.0)


def test_a_short_partition_heals_before_anybody_is_down():
    world, swims = cluster(10, seed=1)
    world.divide(swims[:5], swims[5:])
    world.run(2.0)

    world.heal()
    world.run(30.0)

    assert world.heard(Failed) == []
    assert world.all_agree()


def test_a_single_node_that_was_cut_off_returns():
    world, swims = cluster(20, seed=1)
    world.divide(swims[:1], swims[1:])
    world.run(120.0)
    assert all(seen(swim, node_id(0)) is Liveness.DOWN for swim in swims[1:])

    world.heal()

    world.converge(within=2.0)


def test_a_node_that_is_cut_off_gives_up_the_others_slowly_for_it_doubts_itself():
    world, swims = cluster(20, seed=1)
    world.divide(swims[:1], swims[1:])

    world.run(60.0)
    assert len(swims[0].alive()) > 10
    world.run(600.0)

    assert len(swims[0].alive()) == 1


def test_both_sides_that_reaped_each_other_heal_and_begin_new_epochs():
    quick = replace(LAN, reap_down_after=60.0)
    world, (seed, *swims) = cluster(9, seed=1, config=quick)
    world.crash(seed)
    world.run(120.0)
    world.events.clear()
    world.divide(swims[:4], swims[4:])
    world.run(240.0)
    assert len(world.heard(Reaped)) == 32
    assert all(len(swim.members) == 4 for swim in swims)

    world.heal()

    world.converge(within=5.0)
    assert any(swim.me.epoch == 2 for swim in swims)


def test_a_dead_node_is_reaped_by_all_and_stays_so():
    quick = replace(LAN, reap_down_after=60.0)
    world, swims = cluster(8, seed=1, config=quick)
    world.crash(swims[3])

    world.run(180.0)

    assert len(world.heard(Reaped)) == 7
    assert all(swim.member(node_id(3)) is None for swim in world.swims.values())
    assert world.all_agree()


def test_members_that_are_down_are_tried_by_the_cluster_not_by_each_of_it():
    world, swims = cluster(40, seed=1)
    world.crash(swims[0])
    world.run(60.0)
    packets = world.sent_packets

    world.run(60.0)

    at_rest = 60 * 39 * 2
    tries = world.sent_packets - packets - at_rest
    assert 0 < tries < 60 * LAN.heal_rate * 1.5


def test_a_partition_heals_under_loss():
    world, swims = cluster(10, seed=1, loss=0.2)
    world.divide(swims[:5], swims[5:])
    world.run(90.0)

    world.heal()

    world.converge(within=15.0)


def test_a_partition_heals_after_all_seeds_are_gone():
    world, swims = cluster(9, seed=1)
    world.crash(swims[0])
    world.run(30.0)
    world.divide(swims[1:5], swims[5:])
    world.run(60.0)

    world.heal()

    world.converge(within=2.0)


def test_nodes_that_started_apart_find_each_other_by_a_seed_that_comes_later():
    world = World(seed=1)
    ones = [world.start(n, seeds=[0, 10]) for n in range(5)]
    others = [world.start(n, seeds=[0, 10]) for n in range(10, 15)]
    world.divide(ones, others)
    world.run(60.0)
    assert len(ones[0].alive()) == 5

    world.heal()

    world.converge(within=3.0)


def test_no_node_tries_more_often_than_the_period_however_small_the_cluster():
    beliefs = Beliefs(record(0), LAN, now=0.0)
    beliefs.believe(Belief(record(1), Liveness.ALIVE), now=0.0)
    beliefs.give_up(node_id(1), now=0.0)
    rng = random.Random(1)
    joining = Joining(beliefs, LAN, next_seq=lambda: 0, rng=rng)
    healing = Healing(
        beliefs, LAN, joining=joining, next_seq=lambda: 0, rng=rng,
        now=0.0,
    )  # fmt: skip
    tries = []
    while (now := healing.next_wakeup()) < 100.0:
        tries.append(now)
        healing.tick(now=now)

    pauses = [after - before for before, after in itertools.pairwise(tries)]
    assert min(pauses) >= LAN.heal_period - 1e-9
    assert len(tries) > 100


def test_a_partition_heals_though_each_node_of_a_side_has_started_anew_twice():
    world, swims = cluster(6, seed=1)
    world.run(10.0)
    ones, others = swims[:3], swims[3:]
    world.divide(ones, others)
    world.run(30.0)
    book = dict(world.remembered)

    for epoch in (2, 3):
        for swim in [*ones, *others]:
            world.crash(swim)
        for side in ((0, 1, 2), (3, 4, 5)):
            for number in side:
                at = address(number)
                world.start(number, epoch=epoch, seeds=[], remembered=book[at])
        world.run(20.0)
        swims = [world.swims[address(number)] for number in range(6)]
        ones, others = swims[:3], swims[3:]
        book = dict(world.remembered)
    assert all(len(swim.alive()) == 3 for swim in swims)

    world.heal()

    world.converge(within=2.0)


def test_who_is_not_met_in_a_day_after_the_start_is_remembered_no_more():
    config = replace(LAN, reap_down_after=60.0)
    world = World(seed=1, config=config)
    world.start(0, seeds=[], remembered=[record(1), record(2)])
    world.run(59.0)
    # Nothing new to be remembered: what is on disk is still so.
    assert address(0) not in world.remembered

    world.run(2.0)
    sent = world.sent_packets
    world.run(60.0)

    assert world.remembered[address(0)] == ()
    assert world.sent_packets == sent > 0
