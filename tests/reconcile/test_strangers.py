"""Bytes of strangers are questions and answers, or malformed, and change nothing."""

from __future__ import annotations

import random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.errors import MalformedDatagram
from lashup.reconcile import Walk
from lashup.reconcile.ranges import (
    RANGES,
    children_of,
)
from lashup.reconcile.summary import ANSWER_BYTES, MOST_RANGES
from tests.reconcile.vocabulary import (
    key_of,
    summary_of,
)
from tests.strategies import values

LARGE = summary_of({key_of(n): n for n in range(3_000)})

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
    summary = summary_of({key_of(n): n for n in range(100)})
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
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=1.0)
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
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=1.0)
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
    walk = Walk(summary_of({}), number=1, now=0.0, retry_after=1.0)
    walk.asks(now=0.0)

    unasked = msgpack.packb([5, 1, [key_of(1) + bytes(4)]])

    assert walk.receive_untrusted(unasked, now=0.0) == []
    assert not walk.answered
