"""The messages of the exchange, and what becomes of bytes that are none."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import Delta, MapField
from lashup.errors import MalformedDatagram
from lashup.kv.confirmation import Have, HaveYou, Said
from lashup.kv.delta_codec import encode_delta
from lashup.kv.messages import (
    MOST_WANTS,
    Answer,
    Ask,
    Part,
    Request,
    decode_untrusted,
    encode,
)
from lashup.kv.serving import BURST, Want
from tests.kv.vocabulary import WALL, Peer, state_of
from tests.strategies import any_actors, reachable_deltas, runs, values

numbers = st.integers(0, (1 << 64) - 1)
wants = st.lists(
    st.builds(Want, any_actors, runs(), runs()), min_size=1, max_size=4
).map(tuple)
stretches = st.lists(st.tuples(any_actors, runs()), max_size=3).map(tuple)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    count = draw(st.integers(1, BURST))
    [delta] = draw(reachable_deltas(count=1))
    return Part(
        draw(numbers), draw(st.integers(0, count - 1)), count, delta, draw(stretches)
    )


messages = st.one_of(
    st.builds(Ask, st.binary(max_size=9)),
    st.builds(Answer, st.binary(max_size=9)),
    st.builds(Request, numbers, wants),
    parts(),
    st.builds(
        HaveYou,
        numbers,
        st.lists(st.builds(Said, any_actors, runs(), runs()), max_size=3).map(tuple),
    ),
    st.builds(Have, numbers),
)


@given(messages)
def test_a_message_comes_back_from_its_bytes(message):
    assert encode(decode_untrusted(encode(message))) == encode(message)  # type: ignore[arg-type]
    if not isinstance(message, Part):
        assert decode_untrusted(encode(message)) == message


def test_kinds_and_fields_of_a_later_version_are_passed_over():
    assert decode_untrusted(msgpack.packb([99, "anything"])) is None
    assert decode_untrusted(msgpack.packb([1, b"ask", "more"])) == Ask(b"ask")


@pytest.mark.parametrize(
    "value",
    [
        [], [1], [1, 2], [True, b""], [3, 0, []], [3, 0, [[b"a" * 8, [], []]] * 33],
        [4, 0, 0, 0, b"\x92\x90\x90", []], [4, 0, 2, 2, b"\x92\x90\x90", []],
        [4, 0, 0, BURST + 1, b"\x92\x90\x90", []],
        [5, 0], [5, 0, [[]]], [5, 0, [[b"a", [], []]]], [6, -1], {"a": 1}, 7, None,
    ],
)  # fmt: skip
def test_what_no_peer_would_say_is_malformed(value):
    assert MOST_WANTS == 32
    with pytest.raises(MalformedDatagram):
        decode_untrusted(msgpack.packb(value))


# --- whole replicas


def _busy_peer() -> Peer:
    """A peer with facts, a write in flight and an exchange under way."""
    peer, other = Peer(0), Peer(1)
    for n in range(3):
        peer.publish(MapField().register(n).assign(n))
        other.publish(MapField().register(n).assign(-n))
    peer.write(MapField().register("in flight").assign(1))
    peer.hear_digest_of(other, now=0.0)
    peer.tick(now=0.0)
    assert peer.replica.anti_entropy._exchange is not None
    peer.said()
    return peer


BUSY = _busy_peer()
OTHER = ("10.0.0.2", 7946)

anything = st.one_of(
    st.binary(max_size=80),
    st.lists(values, max_size=5).map(msgpack.packb),
    st.tuples(st.integers(1, 6), values, values, values, values, values).map(
        msgpack.packb
    ),
    messages.map(encode),
    st.builds(Answer, st.lists(values, max_size=4).map(msgpack.packb)).map(encode),
    st.builds(Ask, values.map(msgpack.packb)).map(encode),
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Bytes that were a message, mostly, until somebody laid hands on them."""
    data = bytearray(draw(anything))
    for _ in range(draw(st.integers(0, 2))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(
        data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data
    )


@given(mangled())
@settings(max_examples=600)
def test_what_is_malformed_changes_nothing_and_is_not_answered(data):
    for hear in (
        lambda: BUSY.replica.receive_untrusted(data, OTHER, now=0.0, wall=WALL),
        lambda: BUSY.replica.hear_announced_untrusted(data, now=0.0, wall=WALL),
    ):
        before = state_of(BUSY)
        try:
            hear()
        except MalformedDatagram:
            assert state_of(BUSY) == before


@given(mangled())
@settings(max_examples=200)
def test_whatever_is_taken_in_leaves_digest_and_disk_sound(data):
    peer = _busy_peer()
    for _ in range(2):
        try:
            peer.take(peer.replica.receive_untrusted(data, OTHER, now=0.0, wall=WALL))
            peer.take(peer.replica.hear_announced_untrusted(data, now=0.0, wall=WALL))
        except MalformedDatagram:
            pass
    peer.sync_disk()
    facts, root = peer.store.facts, peer.replica.root

    assert peer.view().register("in flight") == 1
    peer.start()

    assert peer.store.facts == facts
    assert peer.replica.root == root


def test_a_delta_of_nothing_is_no_news():
    peer = _busy_peer()
    before = state_of(peer)

    assert (
        peer.replica.hear_announced_untrusted(encode_delta(Delta()), now=0.0, wall=WALL)
        == []
    )
    assert state_of(peer) == before


def test_a_path_too_deep_for_pythons_stack_is_malformed_and_changes_nothing():
    peer = _busy_peer()
    before = state_of(peer)
    step = b"\x92\x00\xa1x"
    fact = [1, 0, [step] * 5_000, b""]
    data = msgpack.packb([[b"\x91\xa1k"], [[b"z" * 8, [fact], []]]])

    with pytest.raises(MalformedDatagram):
        peer.replica.hear_announced_untrusted(data, now=0.0, wall=WALL)

    assert state_of(peer) == before
