"""What it takes until a silent member is down, with witnesses and without."""

import random

import pytest

from lashup.membership import LAN, Failed, Liveness, Suspected, Swim
from lashup.membership.messages import Ack, Nack, Ping, PingRequest
from tests.membership.conversation import receive, said, until, until_helpers_are_asked
from tests.membership.vocabulary import (
    LADDER,
    World,
    address,
    cluster,
    node_id,
    record,
    seen,
)


def seconds_until_down(world: World, victim: Swim) -> float:
    return world.run_until(
        lambda: all(
            seen(swim, victim.me.id) is Liveness.DOWN
            for swim in world.swims.values()
            if swim is not victim
        ),
        within=60.0,
    )


@pytest.mark.parametrize("size", [3, 5, 20])
def test_a_crash_is_known_to_all_in_two_seconds_and_mostly_in_one(size):
    found = []
    for seed in range(9):
        world, swims = cluster(size, seed=seed)
        world.run(world.rng.uniform(0, 1))
        world.crash(swims[seed % size])
        found.append(seconds_until_down(world, swims[seed % size]))

    assert sorted(found)[4] <= 1.05
    assert max(found) <= 2.0


def test_a_stopped_process_is_known_to_all_as_soon_as_a_crashed_host():
    world, swims = cluster(20, seed=1)

    world.pause(swims[3])

    assert seconds_until_down(world, swims[3]) < 1.8


def test_the_ladder_takes_at_least_the_time_of_the_table():
    world, swims = cluster(20, seed=1, config=LADDER)

    world.crash(swims[3])

    assert seconds_until_down(world, swims[3]) > 5.2


def test_of_two_members_neither_is_down_before_the_ladder_ends():
    world, swims = cluster(2, seed=1)

    world.crash(swims[0])

    assert seconds_until_down(world, swims[0]) > 4.0


@pytest.mark.parametrize("seed", range(3))
def test_a_stall_of_half_a_second_is_not_announced_even_where_packets_are_lost(seed):
    world, swims = cluster(12, seed=seed, loss=0.02)

    for _ in range(25):
        paused = world.rng.choice(swims)
        world.pause(paused)
        world.run(0.5)
        world.wake(paused)
        world.run(world.rng.uniform(0.0, 0.6))

    assert world.heard(Failed) == []


def test_a_node_that_is_cut_off_gives_nobody_up_before_the_others_give_it_up():
    world, swims = cluster(12, seed=1)
    lonely, others = swims[0], swims[1:]
    world.divide([lonely], others)

    world.run(3.0)

    assert all(seen(swim, lonely.me.id) is Liveness.DOWN for swim in others)
    assert not any(seen(lonely, swim.me.id) is Liveness.DOWN for swim in others)


def test_a_member_that_one_witness_can_reach_is_not_down():
    world, swims = cluster(6, seed=1)
    victim, others = swims[0], swims[2:]

    world.divide([victim], others)
    world.run(60.0)

    assert world.heard(Failed) == []


def test_a_whole_rack_that_goes_takes_nobody_along_and_is_known_soon():
    world, swims = cluster(40, seed=1)
    rack = swims[:8]

    for swim in rack:
        world.crash(swim)
    world.run(5.0)

    gone = {swim.me.id for swim in rack}
    assert {event.member.id for _, event in world.heard(Failed)} == gone
    assert all(world.all_see(Liveness.DOWN, swim.me.id) for swim in rack)


def test_a_witness_asks_again_and_again_before_it_testifies():
    witness = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.95)
    receive(witness, request, sender=1, now=0.0)

    pings = 0
    while (now := witness.next_wakeup()) < 0.5:
        spoken = said(witness.tick(now=now))
        pings += sum(isinstance(m, Ping) and m.target == node_id(2) for _, m in spoken)
    at, nacks = until(witness, Nack, limit=2.0)

    assert pings == 4
    assert at == pytest.approx(LAN.stall_allowance)
    assert [m.silence for _, m in nacks] == [pytest.approx(at, abs=0.002)]


def test_a_witness_that_is_asked_again_says_again_what_it_has_found():
    witness = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.95)
    receive(witness, request, sender=1, now=0.0)
    until(witness, Nack, limit=2.0)

    again = said(receive(witness, request, sender=1, now=0.6))

    assert [m.silence > 0.5 for _, m in again if isinstance(m, Nack)] == [True]


def test_a_witness_that_doubts_itself_says_so_by_saying_nothing_of_the_silence():
    witness = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    for _ in range(3):
        witness._beliefs.health.refuted()
    request = PingRequest(7, node_id(2), address(2), patience=0.95)
    receive(witness, request, sender=1, now=0.0)

    _, nacks = until(witness, Nack, limit=2.0)

    assert nacks == [(address(1), Nack(7, node_id(2), 0.0))]


def test_a_witness_that_was_asleep_testifies_against_nobody():
    witness = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=60.0)
    receive(witness, request, sender=1, now=0.0)

    effects = said(witness.tick(now=20.0))
    effects += said(witness.tick(now=20.6))

    assert not any(isinstance(m, Nack) for _, m in effects)


def test_words_of_members_that_were_not_asked_do_not_count():
    world, swims = cluster(12, seed=1)
    prober = swims[0]
    probe = until_helpers_are_asked(prober, now=world.now)
    strangers = range(20, 40)

    for sender in (*probe.helpers[1:], *strangers):
        receive(
            prober,
            Nack(probe.seq, probe.target, 0.6),
            sender=sender,
            now=probe.at + 0.01,
        )
    without_one = seen(prober, probe.target)
    receive(
        prober,
        Nack(probe.seq, probe.target, 0.6),
        sender=probe.helpers[0],
        now=probe.at + 0.02,
    )

    assert without_one is Liveness.ALIVE
    assert seen(prober, probe.target) is Liveness.DOWN


def test_an_accuser_says_so_again_each_period_until_the_suspect_has_refuted():
    world, swims = cluster(12, seed=1)
    accuser, suspect = swims[0], swims[5].me.id
    accuser._beliefs.doubt(suspect, now=world.now)
    while accuser._beliefs.updates:
        accuser._beliefs.updates.take(2000, limit=1)
    world.divide([accuser], swims[1:])

    now = world.now
    waiting = accuser._beliefs.updates._level_of
    while suspect not in waiting and now < world.now + 3.0:
        now = accuser.next_wakeup()
        accuser.tick(now=now)

    assert now <= world.now + 1.5
    assert suspect in waiting


def test_an_ack_by_any_witness_ends_the_probe_whatever_the_others_say():
    world, swims = cluster(12, seed=1)
    prober = swims[0]
    probe = until_helpers_are_asked(prober, now=world.now)

    receive(
        prober,
        Ack(probe.seq, probe.target),
        sender=probe.helpers[0],
        now=probe.at + 0.5,
    )
    for sender in probe.helpers[1:]:
        receive(
            prober,
            Nack(probe.seq, probe.target, 0.6),
            sender=sender,
            now=probe.at + 0.55,
        )

    assert len(probe.helpers) == 10
    assert seen(prober, probe.target) is Liveness.ALIVE


def test_evidence_against_a_member_that_answers_decides_nothing():
    world, swims = cluster(8, seed=1)
    victim = swims[3]

    for swim in swims:
        if swim is not victim:
            at = victim.me.addresses[0]
            for _ in range(5):
                world.do(swim, swim.evidence(at, now=world.now))
    world.run(5.0)

    assert world.heard(Failed) == []
    assert world.heard(Suspected) == []


def test_evidence_of_all_who_ask_makes_it_a_matter_of_milliseconds():
    world, swims = cluster(8, seed=1)
    victim, at = swims[3], swims[3].me.addresses[0]
    world.crash(victim)
    witnesses = [swim for swim in swims if swim is not victim]

    world.do(swims[0], swims[0].evidence(at, now=world.now))
    world.run(0.01)
    for swim in witnesses[1:]:
        world.do(swim, swim.evidence(at, now=world.now))

    assert seconds_until_down(world, victim) < 0.05


def test_each_member_is_watched_by_three_tripwires():
    _, swims = cluster(10, seed=1)

    watched = [member.id for swim in swims for member in swim.tripwires()]

    assert {watched.count(swim.me.id) for swim in swims} == {3}
    assert all(swim.me.id not in {m.id for m in swim.tripwires()} for swim in swims)
