"""The first write is told at once; those close behind it go together, and soon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import MapField
from lashup.crdt.delta_group import size_of
from lashup.crdt.facts import FactSet
from lashup.kv.announcements import GAP, LONG_GAP, MANY, Announcements
from lashup.machine import NEVER
from tests.vocabulary import Site

ROOM = 1_200


class Writer:
    """Writes at given moments, and notes what was told when."""

    def __init__(self, *, room: int = ROOM) -> None:
        self.announcements = Announcements(room=lambda: room)
        self.site = Site(0)
        self.told = FactSet()
        self.times: list[float] = []
        self.sizes: list[int] = []

    def hear(self, deltas, now: float) -> None:
        for delta in deltas:
            self.told.join(delta)
            self.times.append(now)
            self.sizes.append(size_of(delta))

    def write(self, value: object, *, now: float, field: str = "n") -> None:
        delta = self.site.write(MapField().register(field).assign(value))
        self.hear(self.announcements.put(delta, now=now), now)

    def tick(self, *, now: float) -> None:
        self.hear(self.announcements.tick(now=now), now)

    @property
    def is_all_told(self) -> bool:
        return self.told == self.site.facts


def test_a_write_after_a_pause_is_told_at_once():
    writer = Writer()

    writer.write(1, now=10.0)
    writer.write(2, now=10.0 + GAP)

    assert writer.times == [10.0, 10.0 + GAP]
    assert writer.is_all_told


def test_writes_close_behind_another_are_told_as_one_when_the_gap_is_over():
    writer = Writer()
    writer.write(0, now=10.0)
    for number in range(1, 9):
        writer.write(number, now=10.001)
    due = writer.announcements.next_wakeup()

    writer.tick(now=due)

    assert due == 10.0 + GAP
    assert writer.times == [10.0, due]
    assert writer.is_all_told
    assert writer.announcements.next_wakeup() == NEVER


def test_a_field_that_was_written_again_and_again_stands_once():
    writer = Writer()
    for number in range(1_000):
        writer.write("x" * 50 + str(number), now=10.0)

    writer.tick(now=11.0)

    assert len(writer.times) == 2
    assert writer.sizes[1] < 2 * writer.sizes[0]
    assert writer.is_all_told


@pytest.mark.parametrize(("writes", "gap"), [(MANY - 1, GAP), (MANY, LONG_GAP)])
def test_the_gap_after_many_writes_is_a_longer_one(writes: int, gap: float):
    writer = Writer()
    for number in range(1 + writes):
        writer.write(number, now=10.0)
    writer.tick(now=10.0 + GAP)

    writer.write("later", now=10.0 + GAP)

    assert writer.announcements.next_wakeup() == 10.0 + GAP + gap


def test_what_would_not_fit_a_datagram_any_more_goes_before():
    writer = Writer()
    for number in range(50):
        writer.write("x" * 100, field=str(number), now=10.0)
    writer.tick(now=10.0 + GAP)

    assert len(writer.times) < 15
    assert max(writer.sizes) <= ROOM
    assert writer.is_all_told


def test_one_that_is_longer_than_a_datagram_is_told_all_the_same():
    writer = Writer()
    writer.write(1, now=10.0)
    writer.write("x" * 5_000, now=10.0)
    writer.write(2, now=10.0, field="m")
    writer.tick(now=10.0 + GAP)

    assert writer.is_all_told


def test_whoever_cannot_wait_has_told_what_there_is():
    writer = Writer()
    writer.write(1, now=10.0)
    writer.write(2, now=10.0)

    writer.hear(writer.announcements.take(now=10.0), 10.0)

    assert writer.is_all_told
    assert writer.announcements.take(now=10.0) == []


def test_what_is_left_to_reconciliation_is_not_told():
    writer = Writer()
    writer.write(1, now=10.0)
    writer.write(2, now=10.0)

    writer.announcements.drop()

    assert writer.announcements.next_wakeup() == NEVER
    assert writer.announcements.take(now=11.0) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.001, 0.004, GAP, 0.5]), st.integers(0, 3)),
        max_size=40,
    )
)
def test_every_write_is_told_within_the_gap_and_no_more_often(steps):
    writer = Writer()
    now, oldest = 10.0, 10.0
    for pause, field in steps:
        end = now + pause
        while (due := writer.announcements.next_wakeup()) <= end:
            assert due <= oldest + LONG_GAP
            writer.tick(now=due)
        now = end
        if writer.announcements.next_wakeup() == NEVER:
            oldest = now
        writer.write(now, field=str(field), now=now)
    writer.tick(now=now + LONG_GAP)

    assert writer.is_all_told
    assert all(
        b - a > 0.99 * GAP for a, b in zip(writer.times, writer.times[1:], strict=False)
    )
