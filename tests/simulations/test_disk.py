"""A host's disk: transactions, crashes, old copies."""

from __future__ import annotations

from random import Random

from lashup.machine import Persist
from simulations.disk import Disk
from tests.simulations.test_world import acquainted


def put(ticket: int, key: bytes, value: bytes = b"v") -> Persist:
    return Persist(ticket, (("fact", key, value),))


def test_what_waits_goes_in_one_transaction():
    disk = Disk(seconds=0.001)
    assert disk.save(put(1, b"a"))
    assert not disk.save(put(2, b"b"))
    assert not disk.save(put(3, b"c"))

    first, goes_on = disk.end_transaction()
    second, ends = disk.end_transaction()

    assert [p.ticket for p in first] == [1]
    assert [p.ticket for p in second] == [2, 3]
    assert (goes_on, ends) == (True, False)


def test_what_nobody_waits_for_begins_no_transaction_until_its_time_is_up():
    disk = Disk(seconds=0.001)
    patient = Persist(1, (("fact", b"a", b"v"),), within=0.05)

    begins = disk.save(patient), disk.hurry()
    written, goes_on = disk.end_transaction()

    assert begins == (False, True)
    assert (written, goes_on) == ([patient], False)
    assert not disk.hurry()


def test_what_nobody_waits_for_goes_with_what_somebody_waits_for():
    disk = Disk(seconds=0.001)
    disk.save(Persist(1, (("fact", b"a", b"v"),), within=0.05))
    assert disk.save(put(2, b"b"))

    written, _ = disk.end_transaction()

    assert [p.ticket for p in written] == [1, 2]


def test_nothing_is_there_before_its_transaction_ends():
    disk = Disk(seconds=0.001)
    disk.save(put(1, b"a"))

    assert not disk.holds("fact", b"a")
    disk.end_transaction()
    assert disk.holds("fact", b"a")


def test_deletes_come_before_puts():
    disk = Disk(seconds=0.001)
    disk.commit([Persist(1, (("fact", b"a", b"new"),), (("fact", b"a"),))])

    assert disk.tables() == {"fact": {b"a": b"new"}}


def test_a_crash_leaves_all_of_a_transaction_or_nothing():
    outcomes = set()
    for seed in range(20):
        disk = Disk(seconds=0.001)
        disk.save(Persist(1, (("fact", b"a", b""), ("fact", b"b", b""))))
        disk.save(put(2, b"later"))
        disk.crash(rng=Random(seed))
        outcomes.add(frozenset(disk.tables().get("fact", {})))

    assert outcomes == {frozenset(), frozenset({b"a", b"b"})}


def test_a_copy_does_not_follow_the_disk_and_can_be_put_back():
    disk = Disk(seconds=0.001)
    disk.commit([put(1, b"a")])
    copy = disk.tables()
    disk.commit([put(2, b"b")])

    assert set(copy["fact"]) == {b"a"}
    disk.restore(copy)
    assert disk.tables() == copy


def test_what_a_process_has_heard_before_it_was_paused_is_saved_after_it():
    cluster = acquainted(2)
    writer, other = cluster.hosts
    for number in range(2):
        cluster.write(writer, ("key", number), 1)
        cluster.run_for(0.01)  # less than rows may wait that nobody waits for
        other.pause()
        cluster.run_for(0.2)
        other.resume()
        cluster.run_for(0.2)

        assert len(other.disk.tables()["fact"]) == number + 1


def test_a_process_that_ends_in_order_saves_what_nobody_waits_for_too():
    cluster = acquainted(2)
    writer, other = cluster.hosts
    cluster.write(writer, ("key",), 1)
    cluster.run_for(0.01)
    before = other.disk.tables().get("fact", {})

    other.stop()

    assert before == {}
    assert len(other.disk.tables()["fact"]) == 1
