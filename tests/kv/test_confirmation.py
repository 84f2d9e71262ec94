"""Whoever has a write says so, and nobody who lacks a bit of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import FactSet, MapField
from lashup.errors import UsageError
from lashup.kv import messages
from lashup.kv.confirmation import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Confirmations,
    Have,
    HaveYou,
    check_wait,
    is_enough,
)
from lashup.machine import NEVER, Address, NodeId
from tests.strategies import histories, updates
from tests.vocabulary import Site

ROOT = MapField()
B, C = NodeId(b"b" * 16), NodeId(b"c" * 16)
ADDRESSES: dict[NodeId, Address] = {B: ("10.0.0.2", 7946), C: ("10.0.0.3", 7946)}


def _asker(facts: FactSet) -> Confirmations:
    confirmations = Confirmations(facts, encode=messages.encode)
    confirmations.peers = lambda: ADDRESSES
    return confirmations


def _question(send: object) -> HaveYou:
    message = messages.decode_untrusted(send.payload)  # type: ignore[attr-defined]
    assert isinstance(message, HaveYou)
    return message


@given(histories(), updates, st.booleans())
def test_just_those_who_have_joined_a_write_say_so(history, operations, has_heard):
    writer, other = history.sites[:2]
    other.hear(writer.facts.as_delta())
    before = other.facts.as_delta()
    write = writer.write(*operations)
    [question, _] = map(_question, _asker(writer.facts).begin(1, write, now=0.0))
    if has_heard:
        other.hear(write)

    other.hear(before)
    answer = Confirmations(other.facts, encode=messages.encode).answer(question)

    expected = has_heard or not len(write.context)
    assert (answer is not None) == expected


def test_who_has_only_a_part_of_it_says_nothing():
    writer, other = Site(0), Site(1)
    other.hear(writer.write(ROOT.register("r").assign(1)))
    removal = writer.write(ROOT.register("r").remove())
    [question, _] = map(_question, _asker(writer.facts).begin(1, removal, now=0.0))

    # It has every dot of the removal, as it has the fact that was removed.
    assert Confirmations(other.facts, encode=messages.encode).answer(question) is None
    other.hear(removal)
    assert Confirmations(other.facts, encode=messages.encode).answer(question)


def test_everybody_is_asked_again_until_they_answer_and_then_no_more():
    site = Site(0)
    asker = _asker(site.facts)
    first = asker.begin(7, site.write(ROOT.register("r").assign(1)), now=0.0)
    assert {send.to for send in first} == set(ADDRESSES.values())
    [to_b] = [_question(send) for send in first if send.to == ADDRESSES[B]]

    assert asker.hear(Have(to_b.number))
    assert not asker.hear(Have(to_b.number))

    assert asker.having(7) == {B}
    assert asker.tick(now=FIRST_PAUSE / 2) == []
    assert [send.to for send in asker.tick(now=FIRST_PAUSE)] == [ADDRESSES[C]]
    assert asker.next_wakeup() == pytest.approx(3 * FIRST_PAUSE)


def test_the_pauses_grow_to_a_bound():
    site = Site(0)
    asker = _asker(site.facts)
    asker.begin(7, site.write(ROOT.register("r").assign(1)), now=0.0)
    times = [0.0]
    while times[-1] < 20.0:
        times.append(asker.next_wakeup())
        assert asker.tick(now=times[-1])

    assert times[-1] - times[-2] == LONGEST_PAUSE
    assert len(times) < 30


def test_a_write_that_nobody_waits_for_costs_nothing():
    site = Site(0)
    asker = _asker(site.facts)
    asker.begin(7, site.write(ROOT.register("r").assign(1)), now=0.0)

    asker.end(7)
    asker.end(7)

    assert asker.next_wakeup() == NEVER
    assert asker.tick(now=100.0) == []
    assert asker.having(7) == frozenset()
    assert not asker._asked


@given(st.integers(0, 100))
def test_an_answer_to_no_question_says_nothing(number):
    asker = _asker(Site(0).facts)

    assert not asker.hear(Have(number))


@pytest.mark.parametrize("wait", [0, -1, True, "some", None, 1.5])
def test_what_is_no_wait_is_refused(wait):
    with pytest.raises(UsageError, match="wait"):
        check_wait(wait)


@pytest.mark.parametrize(
    ("wait", "alive", "least"),
    [
        (1, 5, 1), (3, 5, 3), (6, 5, 6), ("all", 5, 5), ("all", 1, 1),
        ("majority", 5, 3), ("majority", 4, 3), ("majority", 1, 1),
    ],
)  # fmt: skip
def test_so_many_are_enough_and_one_less_is_not(wait, alive, least):
    check_wait(wait)

    assert is_enough(wait, having=least, alive=alive)
    assert not is_enough(wait, having=least - 1, alive=alive)


def test_a_hundred_writes_waited_for_at_once_are_told_apart():
    site, asked = Site(0), {}
    asker = _asker(site.facts)
    for update in range(1, 101):
        write = site.write(ROOT.register(update).assign(update))
        for send in asker.begin(update, write, now=0.0):
            asked[update, send.to] = _question(send).number
    rng = random.Random(1)
    answered = rng.sample(sorted(asked), 100)
    for which in answered:
        asker.hear(Have(asked[which]))

    for update in range(1, 101):
        expected = {n for n, a in ADDRESSES.items() if (update, a) in answered}
        assert asker.having(update) == expected
