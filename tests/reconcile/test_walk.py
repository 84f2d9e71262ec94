"""A walk finds just the keys that differ, whatever the network does to it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.reconcile import Sought, Walk
from lashup.reconcile.walk import ATTEMPTS, ATTEMPTS_IF_KNOWN
from tests.reconcile.vocabulary import (
    KEY_SIZE,
    Line,
    differing,
    key_of,
    summary_of,
    tables,
    two_tables,
)


@given(tables)
@settings(max_examples=60)
def test_a_walk_finds_just_the_keys_that_differ(table):
    ours, theirs = two_tables(*table)

    found = _found_in_walks(ours, theirs)

    assert found == differing(ours, theirs)


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
            summary_of(ours), number=number, now=0.0, retry_after=1.0, sought=sought
        )
        now = Line(random.Random(1)).walk(walk, summary_of(theirs))
        assert walk.done
        assert len(set(now)) == len(now)
        found |= set(now)
    return found


@given(tables, st.sampled_from([0.1, 0.3, 0.5]))
@settings(max_examples=60)
def test_loss_repetition_and_reordering_cost_time_only(table, loss):
    ours, theirs = two_tables(*table)
    walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=1.0)
    line = Line(random.Random(table[2]), loss=loss, repeat=0.2)

    found = line.walk(walk, summary_of(theirs))

    if walk.done:
        # What the salt hides, one in millions, is for the next walk.
        found += _found_in_walks(ours, theirs) - set(found)
        assert sorted(found) == sorted(differing(ours, theirs))
    assert set(found) <= differing(ours, theirs)
    assert len(set(found)) == len(found)


def test_a_long_walk_ends_though_half_of_everything_is_lost():
    ours, theirs = two_tables(3_000, 400, 7)
    ended = 0
    for seed in range(10):
        walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=0.3)
        found = Line(random.Random(seed), loss=0.5).walk(walk, summary_of(theirs))
        if walk.done:
            ended += 1
            assert set(found) == differing(ours, theirs)

    assert ended >= 7


@given(tables)
@settings(max_examples=30)
def test_one_who_only_pulls_is_told_only_what_the_peer_holds(table):
    ours, theirs = two_tables(*table)

    found = _found_in_walks(ours, theirs, sought=Sought.THEIRS)

    assert found == differing(ours, theirs) & theirs.keys()


def test_one_difference_among_10000_costs_2_kib_and_3_questions():
    ours = {key_of(n): n for n in range(10_000)}
    theirs = {**ours, key_of(77): 1}
    line = Line(random.Random(1))
    walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=1.0)

    assert line.walk(walk, summary_of(theirs)) == [key_of(77)]

    assert line.bytes <= 2_048
    assert line.questions <= 3
    assert line.rounds <= 3


def test_a_hundred_differences_among_10000_cost_110_bytes_each():
    ours = {key_of(n): n for n in range(10_000)}
    theirs = {**ours, **{key_of(n): 1 for n in range(0, 10_000, 100)}}
    line = Line(random.Random(1))
    walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, summary_of(theirs))) == differing(ours, theirs)

    assert line.bytes <= 11_000


def test_a_newcomer_is_told_of_a_large_table_in_little_more_than_its_own_bytes():
    theirs = {key_of(n): n for n in range(20_000)}
    line = Line(random.Random(1))
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, summary_of(theirs))) == theirs.keys()

    assert line.bytes <= 1.4 * 20_000 * (KEY_SIZE + 4)


@pytest.mark.parametrize(
    ("records", "questions"), [(80, 1), (200, 8), (500, 17), (10_000, 161)]
)
def test_a_newcomer_asks_for_as_much_at_once_as_an_answer_holds(records, questions):
    theirs = {key_of(n): n for n in range(records)}
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=1.0)
    line = Line(random.Random(1))

    found = line.walk(walk, summary_of(theirs))

    assert set(found) == theirs.keys()
    assert line.questions <= questions


def test_small_tables_need_one_question():
    ours, theirs = two_tables(40, 20, 1)
    line = Line(random.Random(1))
    walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=1.0)

    assert set(line.walk(walk, summary_of(theirs))) == differing(ours, theirs)
    assert line.questions == 1


def test_the_order_of_what_is_found_is_a_function_of_the_tables():
    ours, theirs = two_tables(2_000, 60, 3)

    def found(records: dict[bytes, int]) -> list[bytes]:
        walk = Walk(summary_of(records), number=1, now=0.0, retry_after=1.0)
        return Line(random.Random(1)).walk(walk, summary_of(theirs))

    assert found(ours) == found(dict(reversed(ours.items())))


def test_a_peer_that_never_answers_is_given_up():
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=0.5)
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
    ours, theirs = two_tables(3_000, 400, 7)
    walk = Walk(summary_of(ours), number=1, now=0.0, retry_after=0.5)
    [ask] = walk.asks(now=0.0)
    walk.receive_untrusted(summary_of(theirs).answer_untrusted(ask), now=0.0)
    now, sent = 0.0, []
    while not walk.failed:
        sent += walk.asks(now=now)
        now = min(walk.next_wakeup(), now + 100)

    assert walk.answered
    assert {sent.count(ask) for ask in sent} == {ATTEMPTS_IF_KNOWN}


def test_a_question_is_not_repeated_before_its_time():
    walk = Walk(summary_of({}), number=1, now=5.0, retry_after=0.5)
    assert len(walk.asks(now=5.0)) == 1

    assert walk.next_wakeup() == 5.5
    assert walk.asks(now=5.4) == []
    assert len(walk.asks(now=5.5)) == 1


def test_a_table_that_changes_during_the_walk_does_no_harm():
    ours, theirs = two_tables(3_000, 50, 9)
    mine, peer = summary_of(ours), summary_of(theirs)
    walk = Walk(mine, number=1, now=0.0, retry_after=1.0)
    rng, found = random.Random(1), set()
    while not walk.done:
        for ask in walk.asks(now=0.0):
            found |= set(walk.receive_untrusted(peer.answer_untrusted(ask), now=0.0))
            peer.put(key_of(rng.randrange(4_000)), rng.getrandbits(64))
            mine.put(key_of(rng.randrange(4_000)), rng.getrandbits(64))

    untouched = {
        k for k in differing(ours, theirs)
        if mine.get(k) == ours.get(k) and peer.get(k) == theirs.get(k)
    }  # fmt: skip
    assert untouched <= found
