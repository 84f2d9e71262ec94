"""Deltas, facts and contexts come back from their bytes, and other bytes do no harm."""

from __future__ import annotations

import gc
import time

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import CausalContext, Delta, Dot, Fact
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.errors import MalformedDatagram
from lashup.kv.delta_codec import (
    DEEPEST_PATH,
    LARGEST_FACT,
    decode_delta_untrusted,
    decode_dot_untrusted,
    decode_fact_untrusted,
    decode_runs_untrusted,
    encode_delta,
    encode_dot,
    encode_fact,
    encode_runs,
)
from tests.strategies import any_actors, keys, names, reachable_deltas, runs, values

facts = st.builds(
    Fact,
    keys.map(pack_key),
    st.lists(st.builds(pack_step, names, st.sampled_from(Type)), min_size=1, max_size=3)
    .map(tuple),
    st.binary(max_size=20),
)  # fmt: skip
some_dots = st.builds(Dot, any_actors, st.integers(1, (1 << 63) - 1))

ACTOR = b"a" * 8
STEP = pack_step("x", Type.REGISTER)
KEY = pack_key(("k",))


@given(reachable_deltas(count=1))
def test_a_delta_comes_back_from_its_bytes(deltas):
    [delta] = deltas

    back = decode_delta_untrusted(encode_delta(delta))

    assert back.facts == delta.facts
    assert back.context == delta.context


@given(st.dictionaries(some_dots, facts, max_size=5), st.lists(some_dots, max_size=5))
def test_any_delta_comes_back_from_its_bytes(live, dead):
    delta = Delta(live, CausalContext([*live, *dead]))

    back = decode_delta_untrusted(encode_delta(delta))

    assert back.facts == delta.facts
    assert back.context == delta.context


@given(facts, some_dots, runs())
def test_facts_dots_and_runs_come_back_from_their_bytes(fact, dot, some):
    assert decode_fact_untrusted(encode_fact(fact)) == fact
    assert decode_dot_untrusted(encode_dot(dot)) == dot
    assert decode_runs_untrusted(encode_runs(some)) == some


def test_encoding_depends_on_the_facts_alone_and_not_on_their_order():
    live = {Dot(ACTOR, n): Fact(KEY, (STEP,), b"%d" % n) for n in (3, 1, 2)}  # type: ignore[arg-type]
    other = dict(sorted(live.items()))

    assert encode_delta(Delta(live, CausalContext(live))) == encode_delta(
        Delta(other, CausalContext(other))
    )


anything = st.one_of(
    st.binary(max_size=60),
    values.map(msgpack.packb),
    st.lists(values, max_size=4).map(msgpack.packb),
)


@given(anything)
def test_any_bytes_are_a_delta_or_malformed(data):
    for decode in (
        decode_delta_untrusted,
        decode_fact_untrusted,
        decode_dot_untrusted,
        decode_runs_untrusted,
    ):
        try:
            decode(data)
        except MalformedDatagram:
            continue


@given(reachable_deltas(count=1), st.data())
def test_a_delta_cut_or_with_flipped_bits_is_another_delta_or_malformed(deltas, data):
    good = bytearray(encode_delta(deltas[0]))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(good)))
    for bad in (bytes(good), bytes(good[:cut])):
        try:
            delta = decode_delta_untrusted(bad)
        except MalformedDatagram:
            continue
        # What is taken can go out again, and says the same to the next.
        back = decode_delta_untrusted(encode_delta(delta))
        assert back.facts == delta.facts
        assert back.context == delta.context
        assert all(dot in delta.context for dot in delta.facts)


def _delta(*parts: object) -> bytes:
    return bytes(msgpack.packb([[KEY], list(parts)]))


def test_an_actor_that_occurs_twice_is_one_actor():
    data = _delta(
        [ACTOR, [[1, 0, [STEP], b"1"]], [5, 6]], [ACTOR, [[3, 0, [STEP], b"3"]], [2, 2]]
    )

    delta = decode_delta_untrusted(data)

    assert [dot.counter for dot in delta.facts] == [1, 3]
    assert dict(delta.context.items()) == {ACTOR: ((1, 3), (5, 6))}
    again = decode_delta_untrusted(encode_delta(delta))
    assert again.facts == delta.facts
    assert again.context == delta.context


@pytest.mark.parametrize(
    "data",
    [
        _delta([ACTOR, [[0, 0, [STEP], b""]], []]),
        _delta([ACTOR, [[1 << 63, 0, [STEP], b""]], []]),
        _delta([ACTOR, [[1, 1, [STEP], b""]], []]),
        _delta([ACTOR, [[1, 0, [], b""]], []]),
        _delta([ACTOR, [[1, 0, [b""], b""]], []]),
        _delta([ACTOR, [[1, 0, [STEP], None]], []]),
        _delta([ACTOR, [[True, 0, [STEP], b""]], []]),
        _delta([ACTOR, [], [1]]),
        _delta([ACTOR, [], [2, 1]]),
        _delta([ACTOR, [], [1, 2, 3, 4]]),
        _delta([ACTOR, [], [5, 6, 1, 2]]),
        _delta([ACTOR[:7], [], []]),
        _delta([ACTOR, [[1, 0, [STEP] * (DEEPEST_PATH + 1), b""]], []]),
        _delta([ACTOR, [[1, 0, [STEP], bytes(LARGEST_FACT)]], []]),
    ],
)
def test_what_no_replica_would_say_is_malformed(data):
    with pytest.raises(MalformedDatagram):
        decode_delta_untrusted(data)


def test_fields_that_a_later_version_appends_are_passed_over():
    data = msgpack.packb(
        [[KEY], [[ACTOR, [[1, 0, [STEP], b"1", "more"]], [], "more"]], "more"]
    )

    assert decode_delta_untrusted(data).facts


def test_many_runs_and_scattered_facts_cost_no_quadratic_time():
    def seconds(count: int) -> float:
        flat = [n for start in range(2, 4 * count, 4) for n in (start, start)]
        scattered = [[4 * n + 4, 0, [STEP], b""] for n in range(count)]
        data = _delta([ACTOR, scattered, flat])
        # A collection of garbage in the middle walks all that other tests have left.
        gc.disable()
        try:
            began = time.process_time()
            decode_delta_untrusted(data)
            return time.process_time() - began
        finally:
            gc.enable()

    small = min(seconds(1_000) for _ in range(5))
    large = min(seconds(12_000) for _ in range(5))

    assert large < 48 * small  # 12 when linear, 144 when quadratic
