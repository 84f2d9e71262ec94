import random

import pytest

from lashup.machine import Address, Send
from lashup.membership import LAN, Failed, Joined, Left, Liveness, Swim
from tests.membership.vocabulary import World, address, cluster, node_id, record, seen


@pytest.mark.parametrize(
    ("size", "seconds"), [(2, 0.1), (5, 1.0), (20, 1.5), (50, 2.0)]
)
def test_nodes_that_join_one_seed_at_once_soon_all_see_all(size, seconds):
    world = World(seed=size)

    for number in range(size):
        world.start(number)

    world.converge(within=seconds)
    assert len(world.heard(Joined)) == size * (size - 1)


def test_a_hundred_nodes_that_join_one_seed_at_once_all_see_all_in_two_seconds():
    world = World(seed=1)

    for number in range(100):
        world.start(number)

    world.converge(within=2.0)


def test_a_newcomer_knows_a_cluster_of_100_within_half_a_second():
    world, _ = cluster(100, seed=1)

    newcomer = world.start(100, seeds=[17])
    seconds = world.run_until(lambda: len(newcomer.alive()) == 101, within=5.0)

    assert seconds < 0.5
    world.converge(within=2.0)


def test_seeds_are_asked_again_while_a_node_is_alone():
    world = World(seed=1)
    early = world.start(1, seeds=[0])
    world.run(60.0)

    world.start(0, seeds=[])

    assert world.run_until(lambda: len(early.alive()) == 2, within=5.0) < 1.0


def test_each_seed_is_asked_more_than_once_a_second_while_a_node_is_alone():
    world = World(seed=1)
    alone = world.start(9, seeds=[0, 1, 2])
    asked: list[Address] = []
    while world.now < 1010.0:
        world.now = alone.next_wakeup()
        sends = alone.tick(now=world.now)
        asked += [send.to for send in sends if isinstance(send, Send)]

    assert all(asked.count(address(seed)) > 10 for seed in range(3))


def test_seeds_may_be_given_later():
    world = World(seed=1)
    world.start(0, seeds=[])
    lost = world.start(1, seeds=[77])
    world.run(10.0)

    world.do(lost, lost.join([address(0)], now=world.now))

    world.converge(within=1.0)


def test_seeds_that_are_new_bring_two_clusters_together():
    world = World(seed=1)
    ones = [world.start(number, seeds=[0]) for number in range(10)]
    others = [world.start(number, seeds=[10]) for number in range(10, 20)]
    world.run(10.0)
    assert len(ones[0].alive()) == len(others[0].alive()) == 10

    world.do(ones[3], ones[3].join([address(15)], now=world.now))

    world.converge(within=2.0)


def test_a_seed_that_is_the_node_itself_is_not_asked():
    me = record(0)
    swim = Swim(me, LAN, rng=random.Random(0), now=0.0)

    effects = swim.join([address(0), address(1)], now=0.0)

    assert [e.to for e in effects if isinstance(e, Send)] == [address(1)]


def test_a_node_that_hears_itself_by_another_address_believes_nothing():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    (ping,) = swim.join([("10.9.9.9", 1)], now=0.0)
    assert isinstance(ping, Send)

    assert swim.receive(ping.payload, ("10.9.9.9", 1), now=0.0) == []


def test_joining_survives_heavy_loss():
    world = World(seed=3, loss=0.3)

    for number in range(20):
        world.start(number)

    world.converge(within=20.0)


def test_a_restart_at_the_same_address_is_known_to_all_at_once():
    world, swims = cluster(20, seed=1)
    world.crash(swims[7])
    world.run(0.1)

    world.start(7, epoch=2)
    seconds = world.converge(within=2.0)

    assert seconds < 0.25
    for swim in world.swims.values():
        member = swim.member(node_id(7))
        assert member is not None
        assert member.epoch == 2


def test_a_restart_after_it_was_declared_down_is_known_to_all_at_once():
    world, swims = cluster(20, seed=1)
    world.crash(swims[7])
    world.run(60.0)
    assert world.all_see(Liveness.DOWN, node_id(7))

    world.start(7, epoch=2)

    assert world.converge(within=2.0) < 0.25


def test_a_restart_under_the_same_name_at_a_new_address_is_accepted_by_all():
    world, swims = cluster(20, seed=1)
    world.crash(swims[7])
    moved = ("10.99.0.1", 7946)

    world.start(7, epoch=2, at=moved)
    seconds = world.converge(within=2.0)

    assert seconds < 1.0
    assert {swim.address_of(node_id(7)) for swim in world.swims.values()} == {moved}


def test_a_restart_with_an_old_clock_outdoes_its_earlier_life():
    world, swims = cluster(5, seed=1)
    world.crash(swims[2])

    back = world.start(2, epoch=0)

    world.converge(within=2.0)
    assert back.me.epoch == 2


def test_a_restart_that_lost_its_memory_replaces_its_old_identity():
    world, swims = cluster(20, seed=1)
    world.crash(swims[7])

    world.start(70, name="n7", epoch=2, at=address(7))

    assert world.converge(within=2.0) < 1.0
    assert world.all_see(Liveness.LEFT, node_id(7))


def test_a_restart_that_lost_its_memory_and_its_clock_replaces_it_too():
    world, swims = cluster(20, seed=1)
    world.crash(swims[7])

    world.start(70, name="n7", epoch=0, at=address(7))

    assert world.converge(within=2.0) < 1.0


def test_another_node_at_a_dead_nodes_address_does_not_keep_it_alive():
    world, swims = cluster(5, seed=1)
    world.crash(swims[2])

    world.start(70, at=address(2))

    world.converge(within=30.0)
    assert world.all_see(Liveness.DOWN, node_id(2))


def test_members_of_an_earlier_run_are_found_without_seeds():
    world, swims = cluster(10, seed=1)
    world.run(10.0)
    remembered = world.remembered[address(4)]
    assert {r.id for r in remembered} == {node_id(n) for n in range(10) if n != 4}
    world.crash(swims[4])
    world.run(60.0)

    # Where nobody would look for it.
    moved = ("10.99.0.1", 7946)
    world.start(4, epoch=2, seeds=[], remembered=remembered, at=moved)

    world.converge(within=2.0)


def test_an_old_recording_of_an_earlier_life_changes_nothing():
    world, swims = cluster(5, seed=1)
    old = swims[2]
    world.recorded[address(2)] = []
    world.do(old, old.set_tags({"life": "first"}, now=world.now))
    world.run(10.0)
    recording = world.recorded.pop(address(2))
    world.crash(old)
    world.start(2, epoch=2, at=("10.99.0.1", 7946))
    world.converge(within=2.0)
    world.events.clear()

    assert len(recording) > 20
    for payload in recording:
        for swim in list(world.swims.values()):
            world.do(swim, swim.receive(payload, address(2), now=world.now))

    assert world.all_agree()
    assert all(seen(s, node_id(2)) is Liveness.ALIVE for s in world.swims.values())
    assert world.events == []


def test_a_recording_of_a_replaced_identity_takes_the_name_from_nobody():
    """Nor at a newcomer, which has never heard of the identity that was replaced."""
    world, swims = cluster(5, seed=1)
    world.crash(swims[2])
    world.recorded[address(2)] = []
    first = world.start(2, epoch=5)
    world.run(5.0)
    recording = world.recorded.pop(address(2))
    world.crash(first)
    world.start(70, name="n2", epoch=9, at=address(2))
    world.run(10.0)
    newcomer = world.start(9)
    world.converge(within=5.0)
    assert seen(newcomer, node_id(2)) is None
    world.events.clear()

    for payload in recording:
        world.do(newcomer, newcomer.receive(payload, address(2), now=world.now))
    world.run(60.0)

    assert world.all_agree()
    assert world.all_see(Liveness.ALIVE, node_id(70))
    assert node_id(70) not in {event.member.id for _, event in world.heard(Left)}
    assert world.heard(Failed) == []
