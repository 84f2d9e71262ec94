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
from lashup.reconcile import (
    ATTEMPTS,
    FANOUT,
    WINDOW,
    Sought,
    Summary,
    Walk,
    keyed_hash,
)
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
            answers = late + [peer.answer_untrusted(ask) for ask in self._carry(asks)]
            answers = self._carry(answers)
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
        arrived = [m for m in messages + copies if self._rng.random() >= self._loss]
        self.bytes += sum(map(len, messages))
        return arrived


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
        for position in range(1 + FANOUT):
            assert self.summary.sum_of(position) == fresh.sum_of(position)
            records = fresh.records_in(position)
            assert self.summary.records_in(position) == records
            assert sum(records.values()) % (1 << 64) == fresh.sum_of(position)


TestSummary = SummaryAgainstADictionary.TestCase
TestSummary.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


def test_an_empty_table_has_the_root_zero_again():
    summary = _summary({_key(n): n for n in range(100)})
    for n in range(100):
        summary.discard(_key(n))

    assert summary.root == 0
    assert not summary._leaves
    assert not summary._leaf_sums


parts = st.lists(st.sampled_from([b"", b"a", b"aa", b"b"]), max_size=4)


@given(parts, parts)
def test_a_hash_depends_on_the_key_and_on_where_parts_end(one, two):
    same = keyed_hash(HASH_KEY, *one) == keyed_hash(HASH_KEY, *two)

    assert same == (one == two)
    assert keyed_hash(HASH_KEY, *one) != keyed_hash(b"other", *one)


# --- the walk


@given(tables)
@settings(max_examples=60)
def test_a_walk_finds_just_the_keys_that_differ(table):
    ours, theirs = _two_tables(*table)
    walk = Walk(_summary(ours), now=0.0, retry_after=1.0)

    found = Line(random.Random(1)).walk(walk, _summary(theirs))

    assert sorted(found) == sorted(_differing(ours, theirs))
    assert walk.done


@given(tables, st.sampled_from([0.1, 0.3, 0.5]))
@settings(max_examples=60)
def test_loss_repetition_and_reordering_cost_time_only(table, loss):
    ours, theirs = _two_tables(*table)
    walk = Walk(_summary(ours), now=0.0, retry_after=1.0)
    line = Line(random.Random(table[2]), loss=loss, repeat=0.2)

    found = line.walk(walk, _summary(theirs))

    if walk.done:
        assert sorted(found) == sorted(_differing(ours, theirs))
    assert set(found) <= _differing(ours, theirs)
    assert len(set(found)) == len(found)


def test_a_long_walk_ends_though_half_of_everything_is_lost():
    ours, theirs = _two_tables(3_000, 400, 7)
    ended = 0
    for seed in range(10):
        walk = Walk(_summary(ours), now=0.0, retry_after=0.3)
        found = Line(random.Random(seed), loss=0.5).walk(walk, _summary(theirs))
        if walk.done:
            ended += 1
            assert set(found) == _differing(ours, theirs)

    assert ended >= 7


@given(tables)
@settings(max_examples=30)
def test_one_who_only_pulls_is_told_only_what_the_peer_holds(table):
    ours, theirs = _two_tables(*table)
    walk = Walk(_summary(ours), now=0.0, retry_after=1.0, sought=Sought.THEIRS)

    found = Line(random.Random(1)).walk(walk, _summary(theirs))

    assert sorted(found) == sorted(_differing(ours, theirs) & theirs.keys())


def test_one_difference_among_10000_costs_4_kib_and_3_questions():
    ours = {_key(n): n for n in range(10_000)}
    theirs = {**ours, _key(77): 1}
    line = Line(random.Random(1))
    walk = Walk(_summary(ours), now=0.0, retry_after=1.0)

    assert line.walk(walk, _summary(theirs)) == [_key(77)]

    assert line.bytes <= 4_096
    assert line.questions <= 3
    assert line.rounds <= 3


def test_small_tables_need_one_question():
    ours, theirs = _two_tables(40, 20, 1)
    line = Line(random.Random(1))
    walk = Walk(_summary(ours), now=0.0, retry_after=1.0)

    assert set(line.walk(walk, _summary(theirs))) == _differing(ours, theirs)
    assert line.questions == 1


def test_the_order_of_what_is_found_is_a_function_of_the_tables():
    ours, theirs = _two_tables(2_000, 60, 3)

    def found(records: dict[bytes, int]) -> list[bytes]:
        walk = Walk(_summary(records), now=0.0, retry_after=1.0)
        return Line(random.Random(1)).walk(walk, _summary(theirs))

    assert found(ours) == found(dict(reversed(ours.items())))


def test_a_peer_that_never_answers_is_given_up():
    walk = Walk(_summary({}), now=0.0, retry_after=0.5)
    now, sent = 0.0, 0
    while not walk.failed:
        sent += len(walk.asks(now=now))
        assert sent <= ATTEMPTS
        now = min(walk.next_wakeup(), now + 100)

    assert sent == ATTEMPTS
    assert walk.next_wakeup() == float("inf")
    assert not walk.answered
    assert not walk.done


def test_a_question_is_not_repeated_before_its_time():
    walk = Walk(_summary({}), now=5.0, retry_after=0.5)
    assert len(walk.asks(now=5.0)) == 1

    assert walk.next_wakeup() == 5.5
    assert walk.asks(now=5.4) == []
    assert len(walk.asks(now=5.5)) == 1


def test_a_table_that_changes_during_the_walk_does_no_harm():
    ours, theirs = _two_tables(3_000, 50, 9)
    mine, peer = _summary(ours), _summary(theirs)
    walk = Walk(mine, now=0.0, retry_after=1.0)
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

anything = st.one_of(
    st.binary(max_size=40),
    values.map(msgpack.packb),
    st.tuples(st.integers(-1, 20_000), st.binary(max_size=40), st.integers(-1, 3)).map(
        msgpack.packb
    ),
    st.tuples(
        st.integers(0, 20_000),
        st.integers(0, 255).map(lambda byte: bytes([byte]) * 1_024),
        st.sampled_from([0, 1]),
    ).map(msgpack.packb),
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
    assert len(answer) <= 1_100


@given(st.lists(anything, max_size=6))
@settings(max_examples=300)
def test_any_bytes_are_an_answer_or_malformed_and_malformed_ones_change_nothing(data):
    walk = Walk(LARGE, now=0.0, retry_after=1.0)
    walk.asks(now=0.0)
    for answer in data:
        before = repr((walk._asked, walk._waiting, walk.answered))
        try:
            walk.receive_untrusted(answer, now=0.0)
        except MalformedDatagram:
            assert repr((walk._asked, walk._waiting, walk.answered)) == before
        walk.asks(now=0.0)


def test_a_peer_that_always_differs_is_asked_no_more_than_there_are_ranges():
    rng = random.Random(1)
    walk = Walk(_summary({}), now=0.0, retry_after=1.0)
    questions = 0
    while not walk.done:
        for ask in walk.asks(now=0.0):
            questions += 1
            position = msgpack.unpackb(ask)
            body = rng.randbytes(FANOUT * 8)
            hostile = [position, body, 0] if position <= FANOUT else [position, b"", 1]
            walk.receive_untrusted(msgpack.packb(hostile), now=0.0)

    assert questions == 1 + FANOUT + FANOUT**2


@pytest.mark.parametrize(
    "answer",
    [
        [0, bytes(1_023), 0], [0, bytes(15), 1], [0, "text", 1], [0, b"", 2],
        [1 << 20, b"", 1], [-1, b"", 1], [FANOUT + 1, bytes(1_024), 0], [0, b""],
    ],
)  # fmt: skip
def test_what_no_peer_would_answer_is_malformed(answer):
    walk = Walk(_summary({}), now=0.0, retry_after=1.0)
    walk.asks(now=0.0)

    with pytest.raises(MalformedDatagram):
        walk.receive_untrusted(msgpack.packb(answer), now=0.0)


def test_an_answer_to_no_question_of_ours_says_nothing():
    walk = Walk(_summary({}), now=0.0, retry_after=1.0)
    walk.asks(now=0.0)

    unasked = msgpack.packb([5, _key(1) + bytes(8), 1])

    assert walk.receive_untrusted(unasked, now=0.0) == []
    assert not walk.answered
