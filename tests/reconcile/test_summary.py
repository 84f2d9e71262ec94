"""Sums and ranges are what counting from the beginning would give."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lashup.reconcile import Summary, keyed_hash
from lashup.reconcile.ranges import (
    FIRSTS,
    LEAF_LEVEL,
    RANGES,
    ROOT,
    children_of,
    level_of,
    places_of,
)
from lashup.reconcile.summary import shortened
from tests.reconcile.vocabulary import (
    HASH_KEY,
    KEY_SIZE,
    key_of,
    summary_of,
)


class SummaryAgainstADictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.summary = Summary(key_size=KEY_SIZE, hash_key=HASH_KEY)
        self.model: dict[bytes, int] = {}

    @rule(
        start=st.integers(0, 40),
        count=st.integers(1, 40),
        value=st.integers(0, (1 << 64) - 1),
    )
    def put(self, start, count, value):
        for n in range(start, start + count):
            self.summary.put(key_of(n), value ^ n)
            self.model[key_of(n)] = value ^ n

    @rule(start=st.integers(0, 80), count=st.integers(1, 40))
    def discard(self, start, count):
        for n in range(start, start + count):
            self.summary.discard(key_of(n))
            self.model.pop(key_of(n), None)

    @invariant()
    def it_is_the_dictionary(self):
        assert len(self.summary) == len(self.model)
        assert set(self.summary) == self.model.keys()
        assert all(self.summary.get(key) == v for key, v in self.model.items())
        assert self.summary.get(key_of(1_000)) is None

    def teardown(self):
        fresh = summary_of(self.model)
        assert self.summary.root == fresh.root
        somewhere = [*range(FIRSTS[2]), *range(FIRSTS[2], RANGES, 997)]
        for position in somewhere:
            assert self.summary.sum_of(position) == fresh.sum_of(position)
            records = fresh.records_in(position)
            assert self.summary.records_in(position) == records
            assert sum(records.values()) % (1 << 64) == fresh.sum_of(position)
            if level_of(position) < LEAF_LEVEL:
                assert fresh.count_in(position) == len(records)


TestSummary = SummaryAgainstADictionary.TestCase
TestSummary.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


def test_an_empty_table_has_the_root_zero_again():
    summary = summary_of({key_of(n): n for n in range(100)})
    for n in range(100):
        summary.discard(key_of(n))

    assert summary.root == 0
    assert not any(summary._sums)
    assert not summary._buckets


def test_bytes_that_look_like_a_key_are_none():
    summary = Summary(key_size=1, hash_key=HASH_KEY)
    buckets: dict[int, list[bytes]] = {}
    for key in (bytes([n]) for n in range(1, 256)):
        buckets.setdefault(summary._place_of(key) >> 4, []).append(key)
    one, two = next(keys for keys in buckets.values() if len(keys) == 2)
    misleading = int.from_bytes(two * 8, "big")

    summary.put(one, misleading)
    assert summary.get(two) is None
    summary.discard(two)
    summary.put(two, 7)

    assert summary.records_in(ROOT) == {one: misleading, two: 7}
    assert (summary.get(one), summary.get(two)) == (misleading, 7)


parts = st.lists(st.sampled_from([b"", b"a", b"aa", b"b"]), max_size=4)


@given(parts, parts)
def test_a_hash_depends_on_the_key_and_on_where_parts_end(one, two):
    same = keyed_hash(HASH_KEY, *one) == keyed_hash(HASH_KEY, *two)

    assert same == (one == two)
    assert keyed_hash(HASH_KEY, *one) != keyed_hash(b"other", *one)


def test_children_part_the_places_of_their_range():
    for position in (ROOT, *range(1, FIRSTS[LEAF_LEVEL], 61)):
        places = [
            place for child in children_of(position) for place in places_of(child)
        ]
        assert places == list(places_of(position))
        assert {level_of(c) for c in children_of(position)} == {level_of(position) + 1}
    assert not children_of(RANGES - 1)


hashes = st.integers(0, (1 << 64) - 1)


@given(hashes, hashes, st.integers(0, (1 << 63) - 1))
def test_what_one_salt_hides_another_shows(one, two, number):
    salts = [(number + n * 0x9E3779B97F4A7C15) % (1 << 64) | 1 for n in range(8)]

    shown = [shortened(one, salt, 3) != shortened(two, salt, 3) for salt in salts]

    assert any(shown) == (one != two)
    assert shortened(0, salts[0], 3) == bytes(3)
