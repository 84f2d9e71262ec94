"""Retirement: what is forgotten, what comes back, and what must not."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lashup.crdt import Actor, CausalContext, Delta, Dot
from lashup.errors import MalformedDatagram
from lashup.kv.absence import DAY
from lashup.kv.rider import Rider
from lashup.kv.rows import state_untrusted
from tests.kv.days import AFTER, ROOT, Days
from tests.kv.vocabulary import WALL, Network, Peer, digest_from_scratch

PEERS = 3
which = st.integers(0, PEERS - 1)
names = st.sampled_from("abc")


def _restart(days: Days, number: int) -> None:
    days.switch_off(number)
    days.switch_on(number)


def test_a_cluster_that_restarts_every_day_for_a_year_has_few_actors():
    days = Days(2)
    for day in range(365):
        for number in (0, 1):
            _restart(days, number)
            days.write(number, ROOT.register(number).assign(day))
        days.pass_days(1)

    # Two live, and those of the days until the last trace is forgotten.
    assert days.actors(0) == days.actors(1) <= 2 * (AFTER + 3)
    assert days.value(0) == {0: 364, 1: 364}


def test_who_never_retires_keeps_all():
    days = Days(2, after=0)
    for day in range(30):
        _restart(days, 0)
        days.write(0, ROOT.register("r").assign(day))
        days.pass_days(1)

    assert days.actors(1) == 30


def test_a_removal_is_remembered_as_long_as_was_said():
    days = Days(2)
    days.write(0, ROOT.register("r").assign(1))
    days.pass_days(1)
    days.write(0, ROOT.remove())
    days.pass_days(AFTER - 1)

    assert days.actors(0) == days.actors(1) == 1
    days.pass_days(3)
    assert days.actors(0) == days.actors(1) == 0
    assert all(peer.disk["context"] == {} for peer in days.peers)


def test_an_actor_that_was_forgotten_can_write_again():
    days = Days(2)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    days.pass_days(AFTER + 3)
    assert days.actors(0) == 0

    days.write(0, ROOT.register("r").assign(2))
    days.pass_days(1)

    assert days.value(1) == {"r": 2}


def test_what_was_removed_long_ago_does_not_come_back_with_a_disk_that_was_away():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    _restart(days, 0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    assert days.actors(0) == 1

    days.switch_on(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3
    assert days.peers[2].dropped == 1
    # To drop is not to forget: the horizon is what the others have forgotten.
    assert days.peers[2].replica.rider.horizon < days.wall // DAY


def test_what_a_disk_that_was_away_had_removed_itself_is_told_before_it_is_forgotten():
    days = Days(3)
    days.write(0, ROOT.register("gone").assign(1))
    days.pass_days(1)
    days.write(2, ROOT.remove())
    for _ in range(2):
        _restart(days, 2)  # It notes the day.
    days.switch_off(2)
    _restart(days, 0)
    days.write(0, ROOT.register("short").assign(1))
    days.write(0, ROOT.register("short").remove())
    days.pass_days(AFTER + 10)
    # Nobody is current before a day has passed.
    days.switch_off(0)
    days.switch_off(1)
    days.day += 5
    for number in range(3):
        days.switch_on(number)

    days.pass_days(2)

    assert [days.value(n) for n in range(3)] == [{}] * 3


def test_who_was_off_when_a_day_began_forgets_as_soon_as_it_is_back():
    days = Days(3)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    _restart(days, 0)
    days.write(0, ROOT.register("kept").assign(1))
    days.meet(in_full=True)
    days.pass_days(AFTER - 1)
    days.switch_off(2)
    days.pass_days(1)
    assert days.actors(0) == 1

    days.switch_on(2)
    assert days.actors(2) == 2
    days.meet(in_full=True)

    assert days.actors(2) == 1


def test_to_drop_an_actor_is_not_to_have_forgotten_a_removal():
    days = Days(3)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    _restart(days, 0)
    days.write(0, ROOT.register("kept").assign(1))
    days.meet(in_full=True)
    days.switch_off(2)
    away = days.peers[2]
    # It was killed before it had noted the day.
    for name in [name for name in away.disk["meta"] if name.startswith(b"idle")]:
        del away.disk["meta"][name]
    days.pass_days(AFTER + 10)

    days.switch_on(2)
    assert away.replica.statistics()["actors_idle"] == 1
    days.meet(in_full=True)

    assert away.replica.statistics()["actors_idle"] == 0
    assert 0 < away.replica.rider.horizon < days.wall // DAY


def test_two_disks_that_were_away_bring_nothing_back_by_each_other():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.pass_days(1)
    days.switch_off(2)
    _restart(days, 0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    days.on.discard(0)
    days.switch_on(1)
    days.write(1, ROOT.register("one").assign(1))
    days.switch_off(1)
    days.day += 3
    days.switch_on(1)
    days.switch_on(2)

    # They hear of no horizon, and after a while take from each other.
    network = Network(*days.running, rng=random.Random(1))
    network.now = days.now
    assert network.run(until=lambda: days.are_equal, seconds=60)
    days.on.add(0)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


def test_what_was_forgotten_is_not_taken_again_from_who_is_late():
    days = Days(2)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    days.meet(in_full=True)
    days.pass_days(AFTER - 1)
    ahead, late = days.peers
    assert days.actors(0) == days.actors(1) == 1

    days.day += 1
    ahead.tick(now=days.now, wall=days.wall)
    for second in range(20):
        now = days.now + second
        ahead.hear_digest_of(late, now=now)
        ahead.tick(now=now + 0.9, wall=days.wall + second)
        while said := [*ahead.said(), *late.said()]:
            for message in said:
                (late if message[1] == ahead.address else ahead).hear(message, now=now)

    assert (days.actors(0), days.actors(1)) == (0, 1)
    assert ahead.replica.retirement.refused > 0
    # It is not looked at all the time.
    assert ahead.replica.anti_entropy.exchanges <= 2


def test_what_the_disk_that_was_away_shares_with_the_others_stays():
    days = Days(2)
    days.write(0, ROOT.register("kept").assign(1))
    days.write(1, ROOT.register("gone").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    _restart(days, 0)
    days.write(0, ROOT.map_field("m").register("gone").assign(1), ROOT.remove())
    days.write(0, ROOT.register("kept").assign(2))
    days.pass_days(AFTER + 10)

    days.switch_on(1)
    days.write(1, ROOT.register("at once").assign(3))
    days.pass_days(1)

    assert days.value(0) == days.value(1) == {"kept": 2, "at once": 3}


def test_a_cluster_that_was_off_as_a_whole_drops_nothing():
    days = Days(3)
    days.write(0, ROOT.register("first").assign(1))
    days.pass_days(AFTER + 5)
    days.switch_off(0)
    days.day += 1
    days.write(1, ROOT.register("first").remove(), ROOT.register("then").assign(2))
    days.switch_off(1)
    days.write(2, ROOT.register("never told").assign(3))
    days.switch_off(2)

    days.day += 100
    for number in (0, 2, 1):
        days.switch_on(number)
    days.pass_days(1)

    # What one removed on the last day the others had not heard of; it still counts.
    assert days.value(0) == {"then": 2, "never told": 3}
    assert [peer.dropped for peer in days.peers] == [0, 0, 0]


def test_a_newcomer_between_the_old_and_the_new_takes_nothing_outdated():
    days = Days(3)
    days.switch_off(1)
    days.write(0, ROOT.register("old").assign(1))
    days.write(2, ROOT.register("mine").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    days.write(0, ROOT.register("old").remove(), ROOT.register("mine").remove())
    _restart(days, 0)
    days.write(0, ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    fresh, away = days.peers[1], days.peers[2]
    days.switch_on(1)
    days.switch_on(2)

    # It has heard of the cluster, but has nothing of its table yet.
    fresh.hear_digest_of(days.peers[0], now=days.now)
    fresh.said()
    fresh.hear_digest_of(away, now=days.now)
    fresh.tick(now=days.now)
    asked = {to for to, _, _ in fresh.said()}
    days.pass_days(1)

    assert asked == {days.peers[0].address}
    assert days.value(1) == days.value(2) == {"new": 1}


def test_nothing_is_taken_from_a_disk_that_was_away_before_it_has_caught_up():
    days = Days(2)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.write(0, ROOT.remove(), ROOT.map_field("m").register("new").assign(1))
    days.write(0, ROOT.remove())
    days.pass_days(AFTER + 10)
    days.switch_on(1)
    one, away = days.peers

    one.hear_digest_of(away, now=days.now)
    one.tick(now=days.now + 1.0, wall=days.wall + 1.0)
    assert one.said() == []
    away.write(ROOT.register("mine").assign(1), wall=days.wall)
    away.sync_disk()
    away.hear_digest_of(one, now=days.now)
    away.tick(now=days.now + 1.0, wall=days.wall + 1.0)
    assert away.said() != []

    days.pass_days(1)
    assert days.value(0) == days.value(1) == {"mine": 1}


def test_a_machine_that_was_stopped_for_long_is_as_one_that_was_off():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    stopped = days.peers[2]
    stopped.start(wall=days.wall)
    # The clock of its process stands, from here to the last day.
    resumed_at = days.now + (AFTER + 10) * DAY
    stopped.tick(now=resumed_at - 1.0, wall=days.wall)
    equal = Rider(stopped.replica.root, is_informed=True)
    stopped.replica.hear_rider(equal, days.peers[0].address, now=resumed_at - 1.0)
    assert stopped.replica.rider.away_since == 0
    _restart(days, 0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)

    stopped.tick(now=resumed_at, wall=days.wall)
    days.on.add(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


@pytest.mark.parametrize("jump", [-400, -2, 2, 400])
def test_a_clock_that_jumps_costs_nobody_anything(jump):
    days = Days(3)
    days.write(0, ROOT.register("gone").assign(1), ROOT.register("there").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    days.write(0, ROOT.register("gone").remove())
    days.pass_days(1)

    days.peers[0].tick(now=days.now + 60.0, wall=days.wall + 60.0 + jump * DAY)
    days.meet()
    days.peers[0].tick(now=days.now + 90.0, wall=days.wall + 90.0)
    days.switch_on(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"there": 1}] * 3
    days.write(1, ROOT.remove())
    days.pass_days(AFTER + 3)
    assert [days.actors(n) for n in range(3)] == [0, 0, 0]


def test_a_horizon_of_a_clock_that_is_ahead_is_not_followed():
    peer = Peer(0)
    peer.tick(now=0.0, wall=WALL)

    peer.replica.hear_rider(Rider(1, True, 60_000, 0), ("10.0.0.9", 1), now=0.0)
    assert peer.replica.absence._heard == 0

    peer.replica.hear_rider(Rider(1, True, 19_000, 0), ("10.0.0.9", 1), now=0.0)
    assert peer.replica.absence._heard == 19_000
    # It has nothing of what those behind the horizon have.
    assert peer.replica.rider.horizon == 0


def test_many_idle_actors_are_looked_at_bit_by_bit():
    peer = Peer(0)
    gone = CausalContext(Dot(Actor(n.to_bytes(8, "big")), 1) for n in range(5_000))
    peer.take(peer.replica.merge(Delta({}, gone), wall=WALL))

    rounds = 0
    while not rounds or peer.replica.next_wakeup() <= 0.0:
        peer.tick(now=0.0, wall=WALL)
        rounds += 1
    assert rounds == 2
    assert peer.replica.statistics()["actors_idle"] == 5_000
    peer.sync_disk()

    peer.start(wall=WALL)
    assert peer.replica.statistics()["actors_idle"] == 5_000


def _with_idle(count: int) -> Peer:
    peer = Peer(0, retire_after=AFTER)
    gone = CausalContext(Dot(Actor(n.to_bytes(8, "big")), 1) for n in range(count))
    peer.take(peer.replica.merge(Delta({}, gone), wall=WALL))
    for _ in range(3):
        peer.tick(now=0.0, wall=WALL)
    peer.sync_disk()
    return peer


def test_what_was_forgotten_is_on_disk_together_with_that_it_was():
    peer = _with_idle(5_000)

    later = (AFTER + 1) * DAY
    peer.tick(now=later, wall=WALL + later)  # The first part of the round.
    peer.crash(durable=len(peer.saves))

    assert 0 < len(peer.store.facts.context) < 5_000
    assert peer.replica.rider.horizon > 0


def test_an_actor_that_goes_in_the_middle_of_a_round_is_not_noted():
    peer = _with_idle(5_000)
    last = Actor((4_999).to_bytes(8, "big"))

    peer.tick(now=DAY, wall=WALL + DAY)
    peer.replica._forget([last])
    peer.tick(now=DAY, wall=WALL + DAY)

    assert peer.replica.statistics()["actors_idle"] == 4_999


def test_who_never_retires_takes_from_everybody_whatever_its_disk_says():
    days = Days(1)
    peer = Peer(1, retire_after=0)
    peer.disk["meta"][b"retirement"] = struct.pack(">HHH", 19_600, 0, 19_600)
    peer.start()

    away = Rider(1, True, 0, 19_000)
    peer.replica.hear_rider(away, days.peers[0].address, now=0.0)
    peer.tick(now=1.0)

    assert len(peer.said()) == 1


@pytest.mark.parametrize(
    "rows", [{b"retirement": b"12345"}, {b"idle" + b"\x4c\xe3": b"not a whole actor"}]
)
def test_rows_that_make_no_sense_are_refused(rows):
    peer = Peer(0)
    peer.disk["meta"] = rows

    with pytest.raises(MalformedDatagram):
        peer.start()


class Lives(RuleBasedStateMachine):
    """Replicas that are on and off for days; the first one is off only with all."""

    def __init__(self) -> None:
        super().__init__()
        self.days = Days(PEERS)
        #: What each replica once had and then dropped, whatever became of it later.
        self.dropped: list[set[Dot]] = [set() for _ in range(PEERS)]
        self.seen: list[set[Dot]] = [set() for _ in range(PEERS)]

    @rule(number=which, name=names, value=st.integers(0, 9))
    def write(self, number, name, value):
        if number in self.days.on:
            self.days.write(number, ROOT.register(name).assign(value))

    @rule(number=which, name=names)
    def remove(self, number, name):
        if number in self.days.on:
            self.days.write(number, ROOT.register(name).remove())

    @rule(number=which)
    def restart(self, number):
        if number in self.days.on:
            _restart(self.days, number)

    @rule(number=st.integers(1, PEERS - 1))
    def switch_off(self, number):
        self.days.switch_off(number)

    @rule(number=which)
    def switch_on(self, number):
        if number not in self.days.on:
            self.days.switch_on(number)

    @rule(days=st.integers(0, 12))
    def pass_days(self, days):
        self.days.pass_days(days)

    @rule(days=st.integers(0, 40))
    def be_without_power(self, days):
        were_on = sorted(self.days.on)
        for number in were_on:
            self.days.switch_off(number)
        self.days.day += days
        for number in were_on:
            self.days.switch_on(number)
        self.days.meet(strict=False)

    @invariant()
    def nothing_that_a_replica_dropped_is_back(self):
        for number in self.days.on:
            live = self.days.live(number)
            assert not live & self.dropped[number]
            self.dropped[number] |= self.seen[number] - live
            self.seen[number] |= live

    @invariant()
    def what_is_on_disk_is_what_there_is(self):
        for number in self.days.on:
            peer = self.days.peers[number]
            state = state_untrusted(peer.disk)
            assert dict(state.facts) == dict(iter(peer.store.facts))
            assert state.context == peer.store.facts.context
            assert peer.replica.root == digest_from_scratch(peer.store)

    def teardown(self):
        for number in range(PEERS):
            if number not in self.days.on:
                self.days.switch_on(number)
        self.days.pass_days(2)
        self.nothing_that_a_replica_dropped_is_back()
        # Nobody is away any more: what is idle now is forgotten in time.
        actors = {dot.actor for dot in self.days.live(0)}
        self.days.pass_days(AFTER + 3)
        self.days.meet(in_full=True)
        assert self.days.actors(0) == len(actors)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
