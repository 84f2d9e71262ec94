"""Laws of cutting messages and joining them again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import LimitExceeded, MalformedDatagram, UsageError
from lashup.machine import NEVER
from lashup.wire.fragments import (
    FORGET_AFTER,
    FRAGMENT_OVERHEAD,
    LARGEST_MESSAGE,
    Reassembly,
    split,
)

A, B = b"a" * 16, b"b" * 16


def state(reassembly):
    return (
        {
            (key, message_id): (dict(m.parts), m.forget_at, m.size, m.cost, m.count)
            for key, sender in reassembly._senders.items()
            for message_id, m in sender.waiting.items()
        },
        dict(reassembly._order),
        reassembly._cost,
    )


def joined(reassembly, fragments, sender=A, now=0.0):
    """The messages that come out when the fragments go in."""
    answers = [reassembly.receive_untrusted(f, sender, now=now) for f in fragments]
    return [answer for answer in answers if answer is not None]


@given(st.binary(max_size=3000), st.integers(FRAGMENT_OVERHEAD + 1, 1400), st.randoms())
def test_parts_in_any_order_and_twice_join_to_the_message_once(payload, budget, rng):
    reassembly = Reassembly()
    fragments = split(1, payload, budget)
    *others, last = rng.sample(fragments, len(fragments))

    assert all(len(fragment) <= budget for fragment in fragments)
    assert joined(reassembly, others * 2) == []
    assert joined(reassembly, [last]) == [payload]
    assert state(reassembly) == ({}, {}, 0)


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=6), st.randoms())
def test_messages_and_senders_do_not_mix(payloads, rng):
    reassembly = Reassembly()
    arriving = [
        (fragment, sender)
        for sender in (A, B)
        for number, payload in enumerate(payloads)
        for fragment in split(number, sender + payload, 60)
    ]
    rng.shuffle(arriving)

    came = [
        (sender, message)
        for fragment, sender in arriving
        if (message := reassembly.receive_untrusted(fragment, sender, now=0.0))
    ]

    expected = [(sender, sender + payload) for sender in (A, B) for payload in payloads]
    assert sorted(came) == sorted(expected)


@given(st.binary(max_size=40))
def test_any_bytes_join_or_wait_or_are_malformed_and_then_change_nothing(fragment):
    reassembly = Reassembly()
    joined(reassembly, split(0, bytes(100), 30)[:-1])
    before = state(reassembly)

    try:
        reassembly.receive_untrusted(fragment, A, now=0.0)
    except MalformedDatagram:
        assert state(reassembly) == before


@given(st.lists(st.tuples(st.binary(max_size=30), st.sampled_from([A, B]))))
def test_the_books_balance_whatever_comes(arriving):
    reassembly = Reassembly(per_sender=600, total=900)
    for fragment, sender in arriving:
        try:
            reassembly.receive_untrusted(fragment, sender, now=0.0)
        except MalformedDatagram:
            continue

    waiting = [
        message
        for sender in reassembly._senders.values()
        for message in sender.waiting.values()
    ]
    assert reassembly._cost == sum(message.cost for message in waiting) <= 900
    assert all(sender.cost <= 600 for sender in reassembly._senders.values())
    assert len(waiting) == len(reassembly._order)


@pytest.mark.parametrize(
    "fragment",
    [
        b"",
        bytes(FRAGMENT_OVERHEAD - 1),
        b"\0\0\0\1\0\0\0\0x",  # the first of none
        b"\0\0\0\1\0\2\0\2x",  # the third of two
        b"\0\0\0\1\0\0\0\2",  # an empty part
    ],
)
def test_what_is_no_fragment_is_malformed(fragment):
    with pytest.raises(MalformedDatagram):
        Reassembly().receive_untrusted(fragment, A, now=0.0)


def test_a_part_that_comes_again_is_counted_once():
    reassembly = Reassembly()
    first, *_ = split(1, bytes(100), 30)
    reassembly.receive_untrusted(first, A, now=0.0)
    before = state(reassembly)

    assert reassembly.receive_untrusted(first, A, now=0.0) is None
    assert state(reassembly) == before


def test_a_fragment_that_contradicts_its_message_is_malformed_and_changes_nothing():
    reassembly = Reassembly()
    reassembly.receive_untrusted(split(5, bytes(100), 30)[0], A, now=0.0)
    before = state(reassembly)

    with pytest.raises(MalformedDatagram):
        reassembly.receive_untrusted(split(5, bytes(200), 30)[1], A, now=0.0)

    assert state(reassembly) == before


def test_an_incomplete_message_is_forgotten_in_time():
    reassembly = Reassembly()
    first, second = split(1, bytes(30), 30)
    reassembly.receive_untrusted(first, A, now=100.0)

    assert reassembly.next_wakeup() == 100.0 + FORGET_AFTER
    reassembly.tick(now=100.0 + FORGET_AFTER)

    assert reassembly.next_wakeup() == NEVER
    assert state(reassembly) == ({}, {}, 0)
    assert joined(reassembly, [second], now=106.0) == []
    assert reassembly.statistics()["expired"] == 1


def test_forgetting_needs_no_tick_where_other_fragments_come():
    reassembly = Reassembly()
    reassembly.receive_untrusted(split(1, bytes(30), 30)[0], A, now=0.0)

    reassembly.receive_untrusted(split(1, bytes(30), 30)[0], B, now=FORGET_AFTER)

    assert reassembly.statistics()["waiting"] == 1


def test_a_sender_that_sends_too_much_loses_its_own_oldest_and_nobody_elses():
    reassembly = Reassembly(per_sender=10_000)
    others = split(1, bytes(2000), 1000)
    reassembly.receive_untrusted(others[0], B, now=0.0)

    for number in range(50):
        reassembly.receive_untrusted(split(number, bytes(2000), 1000)[0], A, now=0.0)

    assert 0 not in reassembly._senders[A].waiting
    assert 49 in reassembly._senders[A].waiting
    assert reassembly._senders[A].cost <= 10_000
    assert joined(reassembly, others[1:], B) == [bytes(2000)]


def test_many_senders_together_stay_within_the_total():
    reassembly = Reassembly(total=20_000)
    for number in range(100):
        sender = number.to_bytes(16, "big")
        reassembly.receive_untrusted(split(1, bytes(2000), 1000)[0], sender, now=0.0)

    assert reassembly.statistics()["waiting_bytes"] <= 20_000
    assert reassembly.statistics()["evicted"] > 50


def test_a_message_that_grows_beyond_the_longest_is_malformed():
    reassembly = Reassembly()
    part = bytes(60_000)
    headers = [b"\0\0\0\1" + bytes([0, n]) + b"\0\x64" for n in range(100)]
    most = LARGEST_MESSAGE // len(part)
    for header in headers[:most]:
        reassembly.receive_untrusted(header + part, A, now=0.0)

    with pytest.raises(MalformedDatagram):
        reassembly.receive_untrusted(headers[most] + part, A, now=0.0)


def test_the_longest_message_is_carried_and_a_longer_one_is_the_callers_error():
    longest = random.Random(1).randbytes(LARGEST_MESSAGE)

    assert joined(Reassembly(), split(1, longest, 1300)) == [longest]
    with pytest.raises(LimitExceeded):
        split(1, longest + b"x", 1300)
    with pytest.raises(LimitExceeded):
        split(1, bytes(65_536), FRAGMENT_OVERHEAD + 1)


def test_a_budget_without_room_is_the_callers_error():
    with pytest.raises(UsageError):
        split(1, b"x", FRAGMENT_OVERHEAD)


def test_message_numbers_may_grow_beyond_32_bits():
    assert joined(Reassembly(), split((1 << 32) + 5, bytes(99), 40)) == [bytes(99)]
