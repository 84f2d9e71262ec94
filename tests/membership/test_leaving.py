import random

import pytest

from lashup.errors import LimitExceeded, NodeClosed
from lashup.membership import (
    LAN,
    Failed,
    Joined,
    Left,
    Liveness,
    Returned,
    Suspected,
    Swim,
)
from lashup.membership.messages import RIDER_LIMIT
from tests.membership.vocabulary import address, cluster, node_id, record, seen


def test_a_leaver_is_known_to_have_left_and_not_to_have_failed():
    world, swims = cluster(20, seed=1)
    leaver = swims[3]

    world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: leaver.has_left, within=1.0)
    assert leaver.has_left
    world.crash(leaver)
    world.run(30.0)

    assert world.all_see(Liveness.LEFT, leaver.me.id)
    assert len(world.heard(Left)) == 19
    assert world.heard(Failed) == []
    assert world.heard(Suspected) == []


def test_a_goodbye_is_over_when_three_have_acknowledged_it():
    world, swims = cluster(20, seed=1)
    leaver = swims[3]

    world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: leaver.has_left, within=1.0)

    others = [swim for swim in swims if swim is not leaver]
    left = [
        swim
        for swim in others
        if (m := swim.member(leaver.me.id)) is not None and m.liveness is Liveness.LEFT
    ]
    assert len(left) >= LAN.leave_acknowledgements


def test_a_goodbye_that_only_two_can_acknowledge_is_repeated_until_it_times_out():
    world, swims = cluster(20, seed=1)
    leaver = swims[3]
    for silent in (*swims[:3], *swims[6:]):
        world.block(silent, leaver)

    world.do(leaver, leaver.leave(now=world.now))
    world.run(LAN.leave_timeout - 0.1)
    assert not leaver.has_left
    world.run(0.2)

    assert leaver.has_left


def test_all_know_of_a_goodbye_in_a_moment():
    world, swims = cluster(50, seed=1)
    leaver = swims[3]

    world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: leaver.has_left, within=1.0)
    world.crash(leaver)

    assert (
        world.run_until(lambda: world.all_see(Liveness.LEFT, leaver.me.id), within=5.0)
        < 0.5
    )


def test_a_goodbye_that_nobody_hears_ends_and_the_leaver_is_found_down():
    world, swims = cluster(5, seed=1)
    leaver, *others = swims
    world.divide([leaver], others)

    world.do(leaver, leaver.leave(now=world.now))
    seconds = world.run_until(lambda: leaver.has_left, within=10.0)
    world.crash(leaver)
    world.run(30.0)

    assert seconds == pytest.approx(LAN.leave_timeout)
    assert world.all_see(Liveness.DOWN, leaver.me.id)


def test_a_goodbye_is_repeated_until_it_is_heard():
    world, swims = cluster(5, seed=1)
    leaver, *others = swims
    world.divide([leaver], others)
    world.do(leaver, leaver.leave(now=world.now))
    world.run(0.5)

    world.heal()

    assert world.run_until(lambda: leaver.has_left, within=5.0) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_a_goodbye_survives_loss(seed):
    world, swims = cluster(10, seed=seed, loss=0.3)
    leaver = swims[4]

    world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: leaver.has_left, within=5.0)
    world.crash(leaver)
    world.run(20.0)

    assert world.all_see(Liveness.LEFT, leaver.me.id)


def test_a_node_that_is_alone_has_left_at_once():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)

    swim.leave(now=0.0)

    assert swim.has_left


def test_a_leaver_that_returns_with_a_newer_epoch_is_alive_at_once():
    world, swims = cluster(20, seed=1)
    leaver = swims[3]
    world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: leaver.has_left, within=1.0)
    world.crash(leaver)
    world.run(1.0)

    world.start(3, epoch=2)

    assert world.converge(within=2.0) < 0.25
    assert len(world.heard(Returned)) == 19


def test_what_is_replayed_of_a_leaver_does_not_bring_it_back():
    world, swims = cluster(5, seed=1)
    leaver = swims[3]
    at = leaver.me.addresses[0]
    world.recorded[at] = []
    world.do(leaver, leaver.set_tags({"a": "b"}, now=world.now))
    world.run(5.0)
    recording = world.recorded.pop(at)
    world.do(leaver, leaver.leave(now=world.now))
    world.run(1.0)
    world.crash(leaver)

    for payload in recording:
        for swim in list(world.swims.values()):
            world.do(swim, swim.receive(payload, at, now=world.now))

    assert world.all_see(Liveness.LEFT, node_id(3))


def test_a_leaver_does_not_refute_its_own_goodbye():
    world, swims = cluster(5, seed=1)
    leaver = swims[3]

    world.do(leaver, leaver.leave(now=world.now))
    world.run(5.0)

    assert leaver.me.incarnation == 0
    assert world.all_see(Liveness.LEFT, leaver.me.id)


def test_a_second_goodbye_and_new_tags_after_it_are_not_said():
    world, swims = cluster(5, seed=1)
    leaver = swims[3]
    world.do(leaver, leaver.leave(now=world.now))

    assert leaver.leave(now=world.now) == []
    with pytest.raises(NodeClosed):
        leaver.set_tags({}, now=world.now)


def test_a_newcomer_whose_only_seed_has_left_is_told_so_and_of_three_who_are_there():
    world, swims = cluster(5, seed=1)
    leaver = swims[2]
    world.do(leaver, leaver.leave(now=world.now))
    world.run(20.0)
    world.events.clear()

    newcomer = world.start(7, seeds=[2])
    world.run(2.0)

    assert len(newcomer.alive()) == 5
    assert seen(newcomer, leaver.me.id) is Liveness.LEFT
    assert all(event.member.id != leaver.me.id for _, event in world.heard(Joined))


def test_a_seed_that_has_left_alone_is_no_member():
    world, (leaver,) = cluster(1, seed=1)
    world.do(leaver, leaver.leave(now=world.now))

    newcomer = world.start(7, seeds=[0])
    world.run(5.0)

    assert newcomer.alive() == (node_id(7),)


def test_who_has_left_asks_no_seeds():
    world, swims = cluster(3, seed=1)
    leaver = swims[2]
    stranger = world.start(8, seeds=[])
    world.do(leaver, leaver.leave(now=world.now))
    world.run(5.0)

    with pytest.raises(NodeClosed):
        leaver.join([address(8)], now=world.now)
    world.run(5.0)

    assert stranger.alive() == (node_id(8),)


def test_two_that_leave_at_once_and_leave_one_behind():
    world, swims = cluster(3, seed=1)

    for leaver in swims[:2]:
        world.do(leaver, leaver.leave(now=world.now))
    world.run_until(lambda: swims[0].has_left and swims[1].has_left, within=5.0)

    assert swims[0].has_left
    assert swims[1].has_left
    assert swims[2].alive() == (node_id(2),)


def test_a_rider_beyond_the_limit_changes_nothing():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    swim.rider = b"x" * RIDER_LIMIT

    with pytest.raises(LimitExceeded):
        swim.rider = b"y" * (RIDER_LIMIT + 1)

    assert swim.rider == b"x" * RIDER_LIMIT
