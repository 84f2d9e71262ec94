"""Absence: what must not come back with a disk that was away, and what is kept."""

from __future__ import annotations

import random
import struct

import pytest

from lashup.kv.absence import DAY
from lashup.kv.rider import Rider
from tests.kv.days import AFTER, ROOT, Days
from tests.kv.vocabulary import WALL, Network, Peer, are_equal, empty_tables


def test_what_was_removed_long_ago_does_not_come_back_with_a_disk_that_was_away():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    assert days.actors(0) == 1

    days.switch_on(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3
    assert days.peers[2].dropped == 1
    # To drop is not to forget: the horizon is what the others have forgotten.
    assert days.peers[2].replica.rider.horizon < days.wall // DAY


@pytest.mark.parametrize(
    "operation", [ROOT.register("old").assign(9), ROOT.register("old").remove()]
)
def test_a_write_over_what_a_disk_brought_keeps_nothing_else_of_it(operation):
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1), ROOT.register("other").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)

    days.switch_on(2)
    days.write(2, operation, heard_by={0, 1})
    days.pass_days(1)

    written = {"old": 9} if operation == ROOT.register("old").assign(9) else {}
    assert [days.value(n) for n in range(3)] == [{"new": 1, **written}] * 3


def test_a_write_on_its_way_while_old_actors_are_dropped_brings_none_back():
    days = Days(2)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    days.switch_on(1)
    away = days.peers[1]

    write = away.write(ROOT.register("old").assign(9), wall=days.wall)
    (save,) = away.saves
    away.saves.clear()
    days.meet()
    assert away.dropped == 1
    away.saves.append(save)
    away.sync_disk()
    days.meet(in_full=True)

    assert away.acknowledged == [write.delta]
    assert days.value(0) == days.value(1) == {"new": 1, "old": 9}
    assert days.actors(0) == days.actors(1) == 2


def test_what_a_disk_that_was_away_had_removed_itself_is_told_before_it_is_forgotten():
    days = Days(3)
    days.write(0, ROOT.register("gone").assign(1))
    days.pass_days(1)
    days.write(2, ROOT.remove())
    for _ in range(2):
        days.restart(2)  # It notes the day.
    days.switch_off(2)
    days.restart(0)
    days.write(0, ROOT.register("short").assign(1))
    days.write(0, ROOT.register("short").remove())
    days.pass_days(AFTER + 10)
    # Nobody is current before a day has passed.
    days.switch_off(0)
    days.switch_off(1)
    days.day += 5
    for number in range(3):
        days.switch_on(number)

    days.pass_days(3)

    assert [days.value(n) for n in range(3)] == [{}] * 3


def test_two_disks_that_were_away_bring_nothing_back_by_each_other():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.pass_days(1)
    days.switch_off(2)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    days.on.discard(0)
    days.switch_on(1)
    days.write(1, ROOT.register("one").assign(1))
    days.switch_off(1)
    for _ in range(3):
        days.run_alone(0)
        days.day += 1
    days.switch_on(1)
    days.switch_on(2)

    # They hear of no horizon, and after a while take from each other.
    network = Network(*days.running, rng=random.Random(1))
    network.now = days.now
    assert network.run(until=lambda: days.are_equal, seconds=60)
    days.on.add(0)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


def test_a_disk_of_an_earlier_version_is_as_old_as_its_latest_timestamp():
    days = Days(2)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    del days.peers[1].disk["meta"][b"retirement"]
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)

    days.switch_on(1)
    assert days.peers[1].replica.rider.away_since == int(WALL // DAY)
    days.pass_days(1)

    assert [days.value(n) for n in range(2)] == [{"new": 1}] * 2


def test_a_disk_of_an_earlier_version_without_timestamps_loses_nothing():
    days = Days(1)
    days.write(0, ROOT.counter("c").increment())
    days.switch_off(0)
    days.peers[0].disk["meta"].clear()
    days.day += AFTER + 10

    days.switch_on(0)

    assert days.peers[0].replica.rider.away_since == 0


def test_what_the_disk_that_was_away_shares_with_the_others_stays():
    days = Days(2)
    days.write(0, ROOT.register("kept").assign(1))
    days.write(1, ROOT.register("gone").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.restart(0)
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
    days.restart(0)
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


def test_a_newcomer_that_meets_an_old_disk_alone_is_as_old_as_that():
    days = Days(3)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.switch_off(2)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    fresh, away = days.peers[1], days.peers[2]
    fresh.disk = empty_tables()
    days.switch_on(1)
    days.switch_on(2)

    # They hear of no horizon, and after a while the newcomer takes what there is.
    network = Network(fresh, away, rng=random.Random(1))
    network.now = days.now
    assert network.run(until=lambda: are_equal(fresh, away), seconds=60)
    assert days.value(1) == {"old": 1}
    days.restart(1)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


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


def test_who_never_retires_takes_from_everybody_whatever_its_disk_says():
    days = Days(1)
    peer = Peer(1, retire_after=0)
    peer.disk["meta"][b"retirement"] = struct.pack(">HHH", 19_600, 0, 19_600)
    peer.start()

    away = Rider(1, True, 0, 19_000)
    peer.replica.hear_rider(away, days.peers[0].address, now=0.0)
    peer.tick(now=1.0)

    assert len(peer.said()) == 1
