"""A walk finds just the keys that differ, whatever the network does to it."""

from __future__ import annotations

import random
from hashlib import blake2b

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lashup.errors import MalformedDatagram
from lashup.reconcile import Sought, Summary, Walk, keyed_hash
from lashup.reconcile.ranges import (
    FIRSTS,
    LEAF_LEVEL,
    RANGES,
    ROOT,
    children_of,
    level_of,
    places_of,
)
from lashup.reconcile.summary import ANSWER_BYTES, MOST_RANGES, shortened
from lashup.reconcile.walk import ATTEMPTS, ATTEMPTS_IF_KNOWN, WINDOW
from tests.strategies import values

KEY_SIZE = 8
HASH_KEY = b"cluster"


def _key(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=KEY_SIZE).digest()


def _summary(records: dict[bytes, int]) -> Summary:
    summary = Summary(key_size=KEY_SIZE, hash_key=HASH_KEY)
    for key, value in records.items():
        summary.put(key, value)
    return summary


def _differing(ours: dict[bytes, int], theirs: dict[bytes, int]) -> set[bytes]:
    return {k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)}


class Line:
    """Carries questions and answers; loses, repeats and reorders them."""

    def __init__(self, rng: random.Random, *, loss: float = 0, repeat: float = 0):
        self.bytes = 0
        self.questions = 0
        self.rounds = 0
        self.now = 0.0
        self._rng, self._loss, self._repeat = rng, loss, repeat

    def walk(self, walk: Walk, peer: Summary) -> list[bytes]:
        """Let a walk go on to its end; the keys it finds."""
        found: list[bytes] = []
        late: list[bytes] = []
        while not walk.done and not walk.failed:
            assert self.rounds < 4_000
            asks = walk.asks(now=self.now)
            assert len(asks) <= WINDOW
            self.questions += len(asks)
            answers = [peer.answer_untrusted(ask) for ask in self._carry(asks)]
            self.bytes += sum(map(len, asks)) + sum(map(len, answers))
            answers = late + self._carry(answers)
            self._rng.shuffle(answers)
            late, answers = answers[:1], answers[1:] or answers
            for answer in answers:
                found += walk.receive_untrusted(answer, now=self.now)
            self.rounds += bool(asks)
            if not walk.done and not walk.failed:
                self.now = max(self.now + 0.001, walk.next_wakeup())
        return found

    def _carry(self, messages: list[bytes]) -> list[bytes]:
        copies = [m for m in messages if self._rng.random() < self._repeat]
        return [m for m in messages + copies if self._rng.random() >= self._loss]


tables = st.tuples(
    st.one_of(st.integers(0, 80), st.integers(0, 3_000)),
    st.integers(0, 60),
    st.integers(0, 1 << 32),
)


def _two_tables(size: int, changes: int, seed: int):
    rng = random.Random(seed)
    ours = {_key(n): rng.getrandbits(64) for n in range(size)}
    theirs = dict(ours)
    for n in range(changes):
        table = rng.choice([ours, theirs])
        match rng.randrange(3):
            case 0 if table:
                table[rng.choice(list(table))] = rng.getrandbits(64)
            case 1 if table:
                del table[rng.choice(list(table))]
            case _:
                table[_key(size + n)] = rng.getrandbits(64)
    return ours, theirs


# --- the summary


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
            self.summary.put(_key(n), value ^ n)
            self.model[_key(n)] = value ^ n

    @rule(start=st.integers(0, 80), count=st.integers(1, 40))
    def discard(self, start, count):
        for n in range(start, start + count):
            self.summary.discard(_key(n))
            self.model.pop(_key(n), None)

    @invariant()
    def it_is_the_dictionary(self):
        assert len(self.summary) == len(self.model)
        assert set(self.summary) == self.model.keys()
        assert all(self.summary.get(key) == v for key, v in self.model.items())
        assert self.summary.get(_key(1_000)) is None

    def teardown(self):
        fresh = _summary(self.model)
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
    summary = _summary({_key(n): n for n in range(100)})
    for n in range(100):
        summary.discard(_key(n))

    assert summary.root == 0
    assert not any(summary._sums)
    assert not summary._buckets


parts = st.lists(st.sampled_from([b"", b"a", b"aa", b"b"]), max_size=4)


@given(parts, parts)
def test_a_hash_depends_on_the_key_and_on_where_parts_end(one, two):
    same = keyed_hash(HASH_KEY, *one) == keyed_hash(HASH_KEY, *two)

    assert same == (one == two)
    assert keyed_hash(HASH_KEY, *one) != keyed_hash(b"other", *one)


# --- the ranges


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


# --- the walk


@given(tables)
@settings(max_examples=60)
def test_a_walk_finds_just_the_keys_that_differ(table):
    ours, theirs = _two_tables(*table)

    found = _found_in_walks(ours, theirs)

    assert found == _differing(ours, theirs)


def _found_in_walks(
    ours: dict[bytes, int],
    theirs: dict[bytes, int],
    *,
    sought: Sought = Sought.ALL,
) -> set[bytes]:
    """What two walks find: one may hide a difference, one in millions."""
    found: set[bytes] = set()
    for number in range(2):
        walk = Walk(
            _summary(ours), number=number, now=0.0, retry_after=1.0, sought=sought
        )
        now = Line(random.Random(1)).walk(walk, _summary(theirs))
        assert walk.done
        assert len(set(now)) == len(now)
        found |= set(now)
    return found


@given(tables, st.sampled_from([0.1, 0.3, 0.5]))
@settings(max_examples=60)
def test_loss_repetition_and_reordering_cost_time_only(table, loss):
    ours, theirs = _two_tables(*table)
    walk = Walk(_summary(ours), number=1, now=0.0, retry_after=1.0)
    line = Line(random.Random(table[2]), loss=loss, repeat=0.2)

    found = line.walk(walk, _summary(theirs))

    if walk.done:
        # What the salt hides, one in millions, is for the next walk.
        found += _found_in_walks(ours, theirs) - set(found)
        assert sorted(found) == sorted(_differing(ours, theirs))
    assert set(found) <= _differing(ours, theirs)
    assert len(set(found)) == len(found)


def test_a_long_walk_ends_though_half_of_everything_is_lost():
    ours, theirs = _two_tables(3_000, 400, 7)
    ended = 0
    for seed in range(10):
        walk = Walk(_summary(ours), number=1, now=0.0, retry_after=0.3)
        found = Line(random.Random(seed), loss=0.5).walk(walk, _summary(theirs))
        if walk.done:
            ended += 1
            assert set(found) == _differing(ours, theirs)

    assert ended >= 7


@given(tables)
@settings(max_examples=30)
def test_one_who_only_pulls_is_told_only_what_the_peer_holds(table):
    ours, theirs = _two_tables(*table)

    found = _found_in_walks(ours, theirs, sought=Sought.THEIRS)

    assert found == _differing(ours, theirs) & theirs.keys()


def test_one_difference_among_10000_costs_2_kib_and_3_questions():
    ours = {_key(n): n for n in range(10_000)}
    theirs = {**ours, _key(77): 1}
    line = Line(random.Random(1))
    walk = Walk(_summary(ours), number=1, now=0.0, retry_after=1.0)

    assert line.walk(walk, _summary(theirs)) == [_key(77)]

    assert line.bytes <= 2_048
    assert line.questions <= 3
    assert line.rounds <= 3


def test_a_hundred_differences_among_10000_cost_110_bytes_each():
    ours = {_key(n): n for n in range(10_000)}
    theirs = {**ours, **{_key(n): 1 for n in range(0, 10_000, 100)}}
    line = Line(random.Random(1))
    walk = Walk(_summary(ours), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, _summary(theirs))) == _differing(ours, theirs)

    assert line.bytes <= 11_000


def test_a_newcomer_is_told_of_a_large_table_in_little_more_than_its_own_bytes():
    theirs = {_key(n): n for n in range(20_000)}
    line = Line(random.Random(1))
    walk = Walk(_summary({}), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, _summary(theirs))) == theirs.keys()

    assert line.bytes <= 1.4 * 20_000 * (KEY_SIZE + 4)


def test_small_tables_need_one_question():
    ours, theirs = _two_tables(40, 20, 1)
    line = Line(random.Random(1))
    walk = Walk(_summary(ours), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, _summary(theirs))) == _differing(ours, theirs)
    assert line.questions == 1


def test_the_order_of_what_is_found_is_a_function_of_the_tables():
    ours, theirs = _two_tables(2_000, 60, 3)

    def found(records: dict[bytes, int]) -> list[bytes]:
        walk = Walk(_summary(records), number=1, now=0.0, retry_after=1.0)
        return Line(random.Random(1)).walk(walk, _summary(theirs))

    assert found(ours) == found(dict(reversed(ours.items())))


def test_a_peer_that_never_answers_is_given_up():
    walk = Walk(_summary({}), number=1, now=0.0, retry_after=0.5)
    now, sent = 0.0, 0
    while not walk.failed:
        sent += len(walk.asks(now=now))
        assert sent <= ATTEMPTS
        now = min(walk.next_wakeup(), now + 100)

    assert sent == ATTEMPTS
    assert walk.next_wakeup() == float("inf")
    assert not walk.answered
    assert not walk.done


def test_a_peer_that_answered_once_is_given_up_later():
    ours, theirs = _two_tables(3_000, 400, 7)
    walk = Walk(_summary(ours), number=1, now=0.0, retry_after=0.5)
    [ask] = walk.asks(now=0.0)
    walk.receive_untrusted(_summary(theirs).answer_untrusted(ask), now=0.0)
    now, sent = 0.0, []
    while not walk.failed:
        sent += walk.asks(now=now)
        now = min(walk.next_wakeup(), now + 100)

    assert walk.answered
    assert {sent.count(ask) for ask in sent} == {ATTEMPTS_IF_KNOWN}


def test_a_question_is_not_repeated_before_its_time():
    walk = Walk(_summary({}), number=1, now=5.0, retry_after=0.5)
    assert len(walk.asks(now=5.0)) == 1

    assert walk.next_wakeup() == 5.5
    assert walk.asks(now=5.4) == []
    assert len(walk.asks(now=5.5)) == 1


def test_a_table_that_changes_during_the_walk_does_no_harm():
    ours, theirs = _two_tables(3_000, 50, 9)
    mine, peer = _summary(ours), _summary(theirs)
    walk = Walk(mine, number=1, now=0.0, retry_after=1.0)
    rng, found = random.Random(1), set()
    while not walk.done:
        for ask in walk.asks(now=0.0):
            found |= set(walk.receive_untrusted(peer.answer_untrusted(ask), now=0.0))
            peer.put(_key(rng.randrange(4_000)), rng.getrandbits(64))
            mine.put(_key(rng.randrange(4_000)), rng.getrandbits(64))

    untouched = {
        k for k in _differing(ours, theirs)
        if mine.get(k) == ours.get(k) and peer.get(k) == theirs.get(k)
    }  # fmt: skip
    assert untouched <= found


# --- strangers


LARGE = _summary({_key(n): n for n in range(3_000)})

positions = st.lists(st.integers(-1, RANGES + 1), max_size=MOST_RANGES + 2)
bodies = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(st.integers(0, 255), st.sampled_from([12, 48, 768])).map(
            lambda drawn: bytes([drawn[0]]) * drawn[1]
        ),
        values,
    ),
    max_size=26,
)
numbers = st.one_of(st.integers(-1, 3), st.integers(0, (1 << 64) - 1))
anything = st.one_of(
    st.binary(max_size=40),
    values.map(msgpack.packb),
    st.tuples(numbers, numbers, positions).map(msgpack.packb),
    st.tuples(st.integers(0, 3), numbers, bodies).map(msgpack.packb),
)


@given(anything)
def test_any_bytes_are_a_question_or_malformed(data):
    summary = _summary({_key(n): n for n in range(100)})
    root = summary.root

    try:
        answer = summary.answer_untrusted(data)
    except MalformedDatagram:
        answer = b""

    assert summary.root == root
    assert len(answer) <= ANSWER_BYTES + 4 * MOST_RANGES + 48 * MOST_RANGES


@given(st.lists(anything, max_size=6))
@settings(max_examples=300)
def test_any_bytes_are_an_answer_or_malformed_and_malformed_ones_change_nothing(data):
    walk = Walk(LARGE, number=1, now=0.0, retry_after=1.0)
    walk.asks(now=0.0)
    for answer in data:
        before = repr((walk._asked, walk._waiting, walk.answered))
        try:
            walk.receive_untrusted(answer, now=0.0)
        except MalformedDatagram:
            assert repr((walk._asked, walk._waiting, walk.answered)) == before
        walk.asks(now=0.0)


def test_a_peer_that_always_differs_is_asked_of_each_range_once():
    rng = random.Random(1)
    walk = Walk(_summary({}), number=1, now=0.0, retry_after=1.0)
    asked = []
    while not walk.done:
        for ask in walk.asks(now=0.0):
            number, _, ranges = msgpack.unpackb(ask)
            asked += ranges
            listed, hostile = 0, []
            for index, position in enumerate(ranges):
                children = len(children_of(position))
                listed |= (not children) << index
                # No byte is zero: an empty range would not be sought.
                hostile.append(bytes(rng.choices(range(1, 256), k=children * 3)))
            walk.receive_untrusted(msgpack.packb([number, listed, hostile]), now=0.0)

    assert sorted(asked) == list(range(RANGES))


@pytest.mark.parametrize(
    "answer",
    [
        [1, 0, [bytes(767)]], [1, 1, [bytes(11)]], [1, 1, ["text"]], [1, -1, [b""]],
        [1, 0, [b""]], [1, 0, [bytes(768), b""]], [1, 0, []], [1, 0], [-1, 0, [b""]],
    ],
)  # fmt: skip
def test_what_no_peer_would_answer_is_malformed(answer):
    walk = Walk(_summary({}), number=1, now=0.0, retry_after=1.0)
    walk.asks(now=0.0)

    with pytest.raises(MalformedDatagram):
        walk.receive_untrusted(msgpack.packb(answer), now=0.0)


@pytest.mark.parametrize(
    "ask",
    [
        [1, 1, []], [1, 1, [RANGES]], [1, 1, [-1]], [1, 1, [0] * (MOST_RANGES + 1)],
        [1, -1, [0]], [-1, 1, [0]], [1, 1, 0], [1, 1], 5,
    ],
)  # fmt: skip
def test_what_no_walk_would_ask_is_malformed(ask):
    with pytest.raises(MalformedDatagram):
        LARGE.answer_untrusted(msgpack.packb(ask))


def test_an_answer_to_no_question_of_ours_says_nothing():
    walk = Walk(_summary({}), number=1, now=0.0, retry_after=1.0)
    walk.asks(now=0.0)

    unasked = msgpack.packb([5, 1, [_key(1) + bytes(4)]])

    assert walk.receive_untrusted(unasked, now=0.0) == []
    assert not walk.answered
