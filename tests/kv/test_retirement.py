"""Retirement: what is forgotten, and when."""

from __future__ import annotations

import random

import pytest

from lashup.crdt import Actor, CausalContext, Delta, Dot
from lashup.errors import MalformedDatagram
from lashup.kv.absence import DAY
from tests.kv.days import AFTER, ROOT, Days
from tests.kv.vocabulary import WALL, Network, Peer, are_equal


def test_a_cluster_that_restarts_every_day_for_a_year_has_few_actors():
    days = Days(2)
    for day in range(365):
        for number in (0, 1):
            days.restart(number)
            days.write(number, ROOT.register(number).assign(day))
        days.pass_days(1)

    # Two live, and those of the days until the last trace is forgotten.
    assert days.actors(0) == days.actors(1) <= 2 * (AFTER + 3)
    assert days.value(0) == {0: 364, 1: 364}


def test_who_never_retires_keeps_all():
    days = Days(2, after=0)
    for day in range(30):
        days.restart(0)
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


def test_who_was_off_when_a_day_began_forgets_as_soon_as_it_is_back():
    days = Days(3)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    days.restart(0)
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
    days.restart(0)
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


def test_what_was_forgotten_is_not_taken_again_from_who_is_late():
    days = Days(2)
    days.write(0, ROOT.register("r").assign(1))
    days.write(0, ROOT.remove())
    days.meet(in_full=True)
    days.pass_days(AFTER - 1)
    ahead, late = days.peers
    assert days.actors(0) == days.actors(1) == 1

    days.run_alone(0)
    days.day += 1
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

    passed = 0.0
    while len(peer.store.facts.context) == 5_000:  # Up to the first part of the round.
        passed = max(passed, min(peer.replica.next_wakeup(), passed + DAY / 4))
        peer.tick(now=passed)
    peer.crash(durable=len(peer.saves))

    assert 0 < len(peer.store.facts.context) < 5_000
    assert peer.replica.rider.horizon > 0


def test_an_actor_that_goes_in_the_middle_of_a_round_is_not_noted():
    peer = _with_idle(5_000)
    last = Actor((4_999).to_bytes(8, "big"))

    peer.tick(now=DAY, wall=WALL + DAY)
    peer.replica._ageing.forget([last])
    peer.tick(now=DAY, wall=WALL + DAY)

    assert peer.replica.statistics()["actors_idle"] == 4_999


class _Counted(dict[bytes, bytes]):
    """Rows that know how often one was written."""

    written = 0

    def __setitem__(self, name: bytes, row: bytes) -> None:
        self.written += 1
        super().__setitem__(name, row)


def test_a_newcomer_saves_the_day_of_an_idle_actor_once():
    full, newcomer = _with_idle(3_000), Peer(1, retire_after=AFTER)
    meta = newcomer.disk["meta"] = _Counted()

    network = Network(full, newcomer, rng=random.Random(1))
    assert network.run(until=lambda: are_equal(full, newcomer), seconds=60)
    newcomer.tick(now=network.now)
    newcomer.sync_disk()

    assert sum(name.startswith(b"idle") for name in meta) == 3_000
    assert meta.written < 3_010


def test_days_that_an_earlier_version_has_saved_are_read_and_saved_anew():
    peer = _with_idle(3)
    actors = sorted(peer.disk["context"])
    meta = peer.disk["meta"]
    for name in [name for name in meta if name.startswith(b"idle")]:
        del meta[name]
    # The day and its actors; one has been forgotten since.
    meta[b"idle" + (19_670).to_bytes(2, "big")] = actors[0] + actors[1]
    meta[b"idle" + (19_672).to_bytes(2, "big")] = actors[1] + b"whatever"

    peer.start()
    assert peer.replica.retirement.idle_days(map(Actor, actors[:2])) == {
        actors[0]: 19_670,
        actors[1]: 19_672,
    }
    peer.tick(now=0.0)
    peer.sync_disk()

    kept = {name for name in peer.disk["meta"] if name.startswith(b"idle")}
    assert kept == {b"idle" + actor for actor in actors}


@pytest.mark.parametrize(
    "rows",
    [
        {b"retirement": b"12345"},
        {b"idle" + b"\x4c\xe3": b"not a whole actor"},
        {b"idle" + b"\x4c\xe3\x00": b"\x4c\xe3"},
    ],
)
def test_rows_that_make_no_sense_are_refused(rows):
    peer = Peer(0)
    peer.disk["meta"] = rows

    with pytest.raises(MalformedDatagram):
        peer.start()
