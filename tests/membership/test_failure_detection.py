import random

import pytest

from lashup.machine import Send
from lashup.membership import (
    LAN,
    Changed,
    Failed,
    Liveness,
    Suspected,
    Swim,
)
from lashup.membership.member import Belief
from lashup.membership.messages import (
    Ack,
    Gossip,
    Header,
    Nack,
    Ping,
    PingRequest,
    encode_packet,
    packet_untrusted,
)
from tests.membership.conversation import receive, said, until
from tests.membership.vocabulary import (
    LADDER,
    World,
    address,
    cluster,
    member_seen,
    node_id,
    record,
    seen,
)


@pytest.mark.parametrize(
    ("size", "seconds"), [(2, 7.0), (3, 8.0), (5, 10.0), (20, 12.0), (50, 14.0)]
)
def test_a_crash_is_detected_by_all(size, seconds):
    world, swims = cluster(size, seed=size)
    crashed = swims[size // 2]

    world.crash(crashed)
    world.run_until(lambda: world.all_see(Liveness.DOWN, crashed.me.id), within=seconds)

    assert world.all_see(Liveness.DOWN, crashed.me.id)
    world.run(30.0)
    assert world.all_agree()
    assert {event.member.id for _, event in world.heard(Failed)} == {crashed.me.id}
    assert len(world.heard(Failed)) == size - 1


def test_a_crash_of_a_third_of_the_cluster_takes_nobody_else_along():
    world, swims = cluster(30, seed=1)
    for swim in swims[:10]:
        world.crash(swim)

    world.run(60.0)

    assert world.all_agree()
    assert {event.member.id for _, event in world.heard(Failed)} == {
        swim.me.id for swim in swims[:10]
    }


@pytest.mark.parametrize("seed", range(3))
def test_loss_of_a_third_of_all_packets_kills_nobody_for_they_refute(seed):
    world, swims = cluster(20, seed=seed, loss=0.3)

    world.run(60.0)

    assert world.heard(Failed) == []
    assert len(world.heard(Suspected)) > 0
    assert sum(swim.statistics()["refutations"] for swim in swims) > 0


def test_an_unanswered_ping_is_repeated_and_three_others_are_asked():
    world, swims = cluster(6, seed=1, config=LADDER)
    lonely = swims[0]

    at, pings = until(lonely, Ping, limit=world.now + 10)
    while lonely.next_wakeup() < at:
        lonely.tick(now=lonely.next_wakeup())
    (to, ping) = pings[0]
    asked_at, requests = until(lonely, PingRequest, limit=at + 1)

    assert asked_at - at == pytest.approx(LAN.probe_timeout_floor)
    assert len({helper for helper, _ in requests}) == 3
    assert to not in {helper for helper, _ in requests}
    assert {r.seq for _, r in requests} == {ping.seq}
    assert {r.target for _, r in requests} == {ping.target}
    assert {r.address for _, r in requests} == {to}


def test_a_helper_that_hears_nothing_says_so_before_the_asker_gives_up():
    helper = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.5)

    pings = said(receive(helper, request, sender=1, now=0.01))
    at, nacks = until(helper, Nack, limit=5.0)

    assert (address(2), node_id(2)) in [
        (to, m.target) for to, m in pings if isinstance(m, Ping)
    ]
    assert at == pytest.approx(0.01 + 0.4)
    assert nacks == [(address(1), Nack(7, node_id(2)))]


def test_a_helper_passes_the_ack_on_even_after_its_nack():
    helper = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.5)
    pings = said(receive(helper, request, sender=1, now=0.01))
    (seq,) = [m.seq for to, m in pings if isinstance(m, Ping) and to == address(2)]
    until(helper, Nack, limit=5.0)

    answers = said(receive(helper, Ack(seq, node_id(2)), sender=2, now=0.45))
    late = said(receive(helper, Ack(seq, node_id(2)), sender=2, now=0.46))

    assert (address(1), Ack(7, node_id(2))) in answers
    assert not any(isinstance(m, Ack) for _, m in late)


def test_a_ping_for_another_node_is_not_answered():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)

    answers = said(receive(swim, Ping(1, node_id(5)), sender=1, now=0.0))

    assert not any(isinstance(m, Ack) for _, m in answers)
    answers = said(receive(swim, Ping(1, node_id(0)), sender=1, now=0.0))
    assert (address(1), Ack(1, node_id(0))) in answers


def test_members_that_hear_each_other_only_through_others_stay_alive():
    world, swims = cluster(5, seed=1)

    world.divide([swims[0]], [swims[1]])
    world.run(60.0)

    assert world.heard(Failed) == []
    assert sum(swim.statistics()["probes_indirect"] for swim in swims) > 0


def test_a_link_that_works_one_way_only_takes_nobody_down():
    world, swims = cluster(5, seed=1)

    world.block(swims[0], swims[1])
    world.run(60.0)

    assert world.heard(Failed) == []


def test_a_node_that_hears_nothing_blames_itself_more_than_others():
    world, swims = cluster(10, seed=1)
    deaf = swims[3]

    for swim in swims:
        world.block(swim, deaf)
    world.run(5.0)

    assert deaf.statistics()["local_health"] >= 3
    assert not any(seen(deaf, s.me.id) is Liveness.DOWN for s in swims)


def test_an_ack_that_comes_late_keeps_a_suspect_alive():
    world = World(seed=1, latency=(0.6, 0.7))
    swims = [world.start(number) for number in range(5)]

    world.run(120.0)

    assert world.all_see_all()
    assert world.heard(Failed) == []
    assert swims[0].round_trip(node_id(1)) == pytest.approx(1.3, abs=0.2)


def test_a_suspect_is_told_and_refutes():
    world, swims = cluster(3, seed=1, config=LADDER)
    a, b, _ = swims
    world.divide([b], [swims[0], swims[2]])
    world.run_until(lambda: seen(a, b.me.id) is Liveness.SUSPECT, within=10.0)

    world.heal()
    world.run_until(lambda: seen(a, b.me.id) is Liveness.ALIVE, within=3.0)

    assert member_seen(a, b.me.id).incarnation > 0
    assert (a.me.id, b.me.id) in {(n, e.member.id) for n, e in world.heard(Changed)}
    assert world.heard(Failed) == []


@pytest.mark.parametrize("pause", [3.0, 12.0, 120.0])
def test_a_paused_node_that_wakes_accuses_nobody(pause):
    world, swims = cluster(10, seed=1)
    paused = swims[4]

    world.pause(paused)
    world.run(pause)
    world.wake(paused)
    world.run(30.0)

    assert world.all_agree()
    accused = {e.member.id for n, e in world.heard(Failed) if n == paused.me.id}
    assert accused == set()
    assert {e.member.id for _, e in world.heard(Failed)} <= {paused.me.id}
    assert paused.statistics()["stalls"] >= 1


def test_a_stall_of_half_a_second_is_never_announced_as_down():
    world, swims = cluster(10, seed=1)

    for turn in range(20):
        paused = swims[turn % 10]
        world.pause(paused)
        world.run(0.5)
        world.wake(paused)
        world.run(0.3)
    world.run(30.0)

    assert world.heard(Failed) == []


@pytest.mark.parametrize("between", [0.1, 0.3, 0.45])
def test_a_node_with_starved_cpu_accuses_nobody_and_is_not_down(between):
    """It is let run for a moment only, every so many seconds, for a minute."""
    world, swims = cluster(10, seed=1)
    starved = swims[4]

    for _ in range(round(60 / between)):
        world.pause(starved)
        world.run(between)
        world.wake(starved)
        world.run(0.005)

    assert world.heard(Failed) == []
    others = {swim.me.id for swim in swims if swim is not starved}
    accused = {event.member.id for node, event in world.heard(Suspected)}
    assert accused.isdisjoint(others)


def test_a_probe_in_flight_gets_another_chance_when_the_node_has_slept():
    world, swims = cluster(3, seed=1)
    sleeper = swims[0]
    at, _ = until(sleeper, Ping, limit=world.now + 5)

    effects = sleeper.tick(now=at + 60.0)

    assert any(isinstance(m, Ping) for _, m in said(effects))
    assert all(seen(sleeper, s.me.id) is Liveness.ALIVE for s in swims)


def test_a_run_is_a_function_of_its_seed():
    def story(seed: int) -> tuple[object, int, int]:
        world, swims = cluster(10, seed=seed, loss=0.2)
        world.crash(swims[3])
        world.run(20.0)
        trace = [(e.at, e.node, type(e.event)) for e in world.events]
        return trace, world.sent_packets, world.sent_bytes

    assert story(5) == story(5)
    assert story(5) != story(6)


def test_a_node_at_rest_sends_one_ping_and_one_ack_a_second():
    world, _ = cluster(30, seed=1)
    world.run(10.0)
    packets, sent = world.sent_packets, world.sent_bytes

    world.run(20.0)

    assert (world.sent_packets - packets) / 20 / 30 == pytest.approx(2.0, abs=0.05)
    assert (world.sent_bytes - sent) / 20 / 30 < 150


def test_no_payload_is_larger_than_configured():
    world = World(seed=1, loss=0.1)
    tags = {"t": "x" * 500}
    for number in range(40):
        world.start(number, tags=tags)
    world.converge(within=30.0)
    world.run(5.0)

    assert world.largest <= LAN.max_payload


def test_new_tags_are_everywhere_in_a_moment():
    world, swims = cluster(100, seed=1)
    changed = swims[50]

    world.do(changed, changed.set_tags({"role": "db"}, now=world.now))
    seconds = world.run_until(
        lambda: all(
            member_seen(s, changed.me.id).tags == {"role": "db"} for s in swims
        ),
        within=5.0,
    )

    assert seconds < 0.5
    assert len({n for n, e in world.heard(Changed)}) == 100


def test_the_round_trip_to_members_is_measured():
    world = World(seed=1, latency=(0.05, 0.05))
    swims = [world.start(number) for number in range(3)]

    world.run(20.0)

    assert swims[0].round_trip(node_id(1)) == pytest.approx(0.1)
    assert swims[0].round_trip(node_id(9)) is None


def test_the_rider_of_a_member_is_heard_with_every_ping_and_ack():
    world, swims = cluster(3, seed=1)
    for number, swim in enumerate(swims):
        swim.rider = b"%d" % number
    world.riders.clear()

    world.run(10.0)

    assert {(r.node, r.address, r.rider) for r in world.riders} == {
        (node_id(n), address(n), b"%d" % n) for n in range(3)
    }
    assert len(world.riders) == pytest.approx(60, abs=4)


def test_an_ack_that_only_a_helper_heard_gives_a_suspect_its_whole_time_again():
    world, swims = cluster(3, seed=1)
    lonely, helper = swims[0], swims[1]
    for swim in swims:
        world.block(swim, lonely)
    at, ((_, ping), *_) = until(lonely, Ping, limit=world.now + 5)
    assert isinstance(ping, Ping)
    assert ping.target is not None
    lonely._beliefs.doubt(ping.target, now=at)
    before = lonely._beliefs.suspicions.next_wakeup()

    receive(lonely, Ack(ping.seq, ping.target), sender=1, now=at + 3.0)

    assert lonely._beliefs.suspicions.next_wakeup() == pytest.approx(before + 3.0)
    assert helper.me.id != ping.target


def test_an_ack_for_another_than_the_one_that_was_pinged_counts_for_nothing():
    world, swims = cluster(3, seed=1)
    prober = swims[0]
    at, ((_, ping), *_) = until(prober, Ping, limit=world.now + 5)
    assert isinstance(ping, Ping)
    (other,) = {1, 2} - {n for n in (1, 2) if node_id(n) == ping.target}

    receive(prober, Ack(ping.seq, node_id(other)), sender=other, now=at + 0.01)

    assert ping.seq in prober._prober._open


def test_a_helper_passes_no_ack_on_for_another_than_the_one_asked_about():
    helper = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.5)
    pings = said(receive(helper, request, sender=1, now=0.01))
    (seq,) = [m.seq for to, m in pings if isinstance(m, Ping) and to == address(2)]

    answers = said(receive(helper, Ack(seq, node_id(3)), sender=3, now=0.02))

    assert not any(isinstance(m, Ack) for _, m in answers)


def test_a_suspects_time_does_not_run_while_the_node_sleeps():
    world, swims = cluster(5, seed=1)
    sleeper, suspect = swims[0], swims[1]
    sleeper._beliefs.doubt(suspect.me.id, now=world.now)

    sleeper.tick(now=world.now + 60.0)

    assert seen(sleeper, suspect.me.id) is Liveness.SUSPECT


def test_a_refutation_goes_straight_to_the_one_who_brought_the_rumour():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    rumour = Belief(record(0), Liveness.DOWN)
    header = Header(node_id(1), 1, 0, 0, b"")
    payload = encode_packet(header, [rumour.encode()], Gossip())

    effects = swim.receive(payload, address(1), now=0.0)

    packets = [
        packet_untrusted(effect.payload, known=())
        for effect in effects
        if isinstance(effect, Send) and effect.to == address(1)
    ]
    told = [belief for p in packets if p is not None for _, belief in p.gossip]
    assert Belief(record(0, incarnation=1), Liveness.ALIVE) in told
