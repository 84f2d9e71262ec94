"""Orders about keys: whatever happens to them, nobody who could hear is locked out."""

from __future__ import annotations

import random

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import MalformedDatagram, UsageError
from lashup.machine import NodeId, Send
from lashup.rotation import (
    MOST_KEYS,
    RETRY_AFTER,
    Command,
    Keep,
    MemberKeys,
    Order,
    Rotation,
    RotationEffect,
)
from lashup.wire.kept_keyring import ring_untrusted
from lashup.wire.keyring import Keyring, key_id_of
from tests.strategies import values

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
OLD_ID, NEW_ID = key_id_of(OLD), key_id_of(NEW)
A, B = (NodeId(bytes([n]) * 16) for n in (1, 2))
AT = {A: ("10.0.0.1", 7946), B: ("10.0.0.2", 7946)}
INSTALL, USE, REMOVE = (
    Order(Command.INSTALL, NEW),
    Order(Command.USE, NEW_ID),
    Order(Command.REMOVE, OLD_ID),
)
SHOW = Order(Command.SHOW)


def rotation(me: NodeId, *keys: bytes) -> Rotation:
    ring = Keyring(keys or (OLD,))
    return Rotation(ring, configured=[OLD], me=me, rng=random.Random(me))


def settle(one: Rotation, effects: list[RotationEffect]) -> list[Send]:
    """What it sends once what it keeps is on disk."""
    sends: list[Send] = []
    for effect in effects:
        sends += (
            one.kept(effect.token, now=0.0) if isinstance(effect, Keep) else [effect]
        )
    return sends


def order(one: Rotation, other: Rotation, order: Order) -> dict[NodeId, MemberKeys]:
    """Give an order on one node, carry it to another and the answer back."""
    number, effects = one.begin(order, {B: AT[B]}, now=0.0)
    for send in settle(one, effects):
        assert send.to == AT[B]
        for answer in settle(other, other.receive_untrusted(send.payload, AT[A])):
            assert answer.to == AT[A]
            one.receive_untrusted(answer.payload, AT[B])
    answers = dict(one.answers(number))
    one.end(number)
    return answers


def test_a_key_is_replaced_in_three_steps():
    one, two = rotation(A), rotation(B)

    assert order(one, two, SHOW)[B] == MemberKeys(OLD_ID, (OLD_ID,))
    assert order(one, two, INSTALL)[B] == MemberKeys(OLD_ID, (OLD_ID, NEW_ID))
    assert order(one, two, USE)[B] == MemberKeys(NEW_ID, (NEW_ID, OLD_ID))
    answers = order(one, two, REMOVE)

    assert answers == dict.fromkeys((A, B), MemberKeys(NEW_ID, (NEW_ID,)))


def test_nothing_is_sent_before_the_own_ring_is_on_disk():
    one = rotation(A)

    number, effects = one.begin(INSTALL, {B: AT[B]}, now=0.0)

    [keep] = effects
    assert isinstance(keep, Keep)
    assert list(ring_untrusted([OLD], label="x", row=keep.row)) == [OLD_ID, NEW_ID]
    assert one.next_wakeup() == float("inf")
    assert not one.answers(number)
    assert one.kept(keep.token, now=0.0)
    assert A in one.answers(number)


def test_nobody_answers_before_its_ring_is_on_disk():
    two = rotation(B)
    payload = msgpack.packb([1, 5, Command.INSTALL, NEW])

    [keep] = two.receive_untrusted(payload, AT[A])

    assert isinstance(keep, Keep)
    [answer] = two.kept(keep.token, now=0.0)
    assert msgpack.unpackb(answer.payload)[1] == 5
    assert two.kept(keep.token, now=0.0) == []


def test_who_does_not_answer_is_told_again_until_the_caller_has_enough():
    one = rotation(A)
    number, first = one.begin(SHOW, AT, now=1.0)

    assert one.tick(now=1.0 + RETRY_AFTER / 2) == []
    assert one.next_wakeup() == 1.0 + RETRY_AFTER
    # This node has answered itself.
    assert one.tick(now=1.0 + RETRY_AFTER) == _to_b(first)
    one.end(number)
    assert one.next_wakeup() == float("inf")
    assert one.tick(now=99.0) == []


def _to_b(effects: list[RotationEffect]) -> list[Send]:
    return [e for e in effects if isinstance(e, Send) and e.to == AT[B]]


def test_a_caller_who_gives_up_while_the_disk_is_slow_sends_nothing():
    one = rotation(A)
    number, [keep] = one.begin(INSTALL, {B: AT[B]}, now=0.0)
    assert isinstance(keep, Keep)
    one.end(number)

    assert one.kept(keep.token, now=0.0) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Order(Command.USE, NEW_ID), "install it first"),
        (Order(Command.REMOVE, OLD_ID), "use another one first"),
        (Order(Command.INSTALL, b"short"), "32 bytes"),
    ],
)
def test_what_this_node_cannot_do_is_told_to_nobody(bad, why):
    one = rotation(A)

    with pytest.raises(UsageError, match=why):
        one.begin(bad, AT, now=0.0)

    assert list(one.keyring) == [OLD_ID]
    assert one.next_wakeup() == float("inf")


def test_a_member_that_cannot_do_it_says_why_and_stays_as_it_is():
    one, two = rotation(A, NEW, OLD), rotation(B)

    answers = order(one, two, USE)

    assert "install it first" in answers[B].refusal
    assert answers[B].keys == (OLD_ID,)


def test_a_ring_has_so_many_keys_and_no_more():
    keys = [bytes([n]) * 32 for n in range(MOST_KEYS)]
    one = rotation(A, *keys)

    with pytest.raises(UsageError, match="remove one first"):
        one.begin(INSTALL, AT, now=0.0)
    one.begin(Order(Command.INSTALL, keys[3]), AT, now=0.0)  # It is there already.

    assert len(one.keyring) == MOST_KEYS


def test_removing_once_more_is_no_error():
    one, two = rotation(A, NEW, OLD), rotation(B, NEW)

    assert order(one, two, REMOVE)[B] == MemberKeys(NEW_ID, (NEW_ID,))


def test_without_a_key_nothing_can_be_installed():
    one = Rotation(Keyring.loopback("x"), configured=(), me=A, rng=random.Random(1))

    with pytest.raises(UsageError, match="restart it with one"):
        one.begin(INSTALL, AT, now=0.0)


def test_an_answer_to_another_order_or_of_a_stranger_says_nothing():
    one = rotation(A)
    number, _ = one.begin(SHOW, {B: AT[B]}, now=0.0)
    for wrong, node in ((number + 1, B), (number, NodeId(bytes(16)))):
        answer = [2, wrong, node, OLD_ID, [OLD_ID], ""]
        one.receive_untrusted(msgpack.packb(answer), AT[B])

    assert list(one.answers(number)) == [A]


steps = st.lists(
    st.tuples(st.sampled_from([INSTALL, USE, REMOVE, SHOW]), st.booleans()),
    max_size=30,
)


@given(steps, st.randoms(use_true_random=False))
def test_orders_that_are_lost_repeated_and_late_never_leave_a_ring_without_its_seal(
    steps, rng
):
    one, two = rotation(A), rotation(B)
    on_the_way = []
    for step, is_carried in steps:
        try:
            _, effects = one.begin(step, {B: AT[B]}, now=0.0)
        except UsageError:
            continue
        on_the_way += settle(one, effects)
        rng.shuffle(on_the_way)
        for send in on_the_way[: len(on_the_way) // 2 if is_carried else 0]:
            two.receive_untrusted(send.payload, AT[A])
        for each in (one, two):
            assert each.keyring.sealing_id in each.keyring
            assert each.keyring.sealing_key in (OLD, NEW)


@given(
    st.one_of(
        st.binary(max_size=40),
        values.map(msgpack.packb),
        st.lists(
            st.one_of(st.integers(-1, 5), st.binary(max_size=40), values),
            max_size=7,
        ).map(msgpack.packb),
    )
)
def test_any_bytes_are_a_message_or_malformed_and_no_ring_is_lost(payload):
    one = rotation(A)
    number, _ = one.begin(SHOW, {B: AT[B]}, now=0.0)
    try:
        one.receive_untrusted(payload, AT[B])
    except MalformedDatagram:
        assert list(one.keyring) == [OLD_ID]
        assert list(one.answers(number)) == [A]
    assert one.keyring.sealing_key == OLD
