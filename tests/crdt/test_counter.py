"""The counter counts everything once, and a removal takes what its writer had seen."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import MapField
from lashup.crdt.counter import FOLDED, read_amount_untrusted
from lashup.errors import MalformedDatagram, UsageError
from tests.vocabulary import Site

FIELD = MapField().counter("c")


def _count(site: Site) -> int:
    return site.view().counter("c")


def _exchange(one: Site, two: Site) -> None:
    state = one.facts.as_delta()
    one.hear(two.facts.as_delta())
    two.hear(state)


@given(st.lists(st.integers(-5, 50) | st.none(), max_size=80))
def test_alone_it_is_a_sum_that_a_removal_takes_back_to_nothing(steps):
    site, model = Site(0), 0
    for amount in steps:
        if amount is None:
            site.write(FIELD.remove())
            model = 0
        else:
            site.write(FIELD.increment(amount))
            model += amount

        assert _count(site) == model


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-9, 9)), max_size=60))
def test_additions_of_several_are_all_counted_once(steps):
    sites = [Site(n) for n in range(3)]
    deltas = []
    for who, amount in steps:
        deltas.append(sites[who].write(FIELD.increment(amount)))
        sites[(who + 1) % 3].hear(random.Random(len(deltas)).choice(deltas))
    for site in sites:
        site.hear(*deltas, *reversed(deltas))

    assert [_count(site) for site in sites] == [sum(a for _, a in steps)] * 3


@pytest.mark.parametrize("operation", [FIELD.decrement(), FIELD.increment(-1)])
def test_it_goes_below_nothing(operation):
    site = Site(0)
    site.write(operation)

    assert _count(site) == -1


def test_it_needs_few_facts_however_often_it_is_added_to():
    site = Site(0)
    for _ in range(4_200):
        site.write(FIELD.increment())

    assert _count(site) == 4_200
    assert len(site.facts) < 4 * FOLDED


def test_several_additions_in_one_update_are_one_delta():
    site = Site(0)

    delta = site.write(*[FIELD.increment() for _ in range(100)])

    assert _count(site) == 100
    assert len(delta.facts) == len(site.facts) < 20


# --- removal and addition at once


@given(st.integers(0, 40), st.integers(1, 9))
def test_a_removal_takes_what_it_saw_and_spares_an_addition_that_does_not_fold(
    before, amount
):
    one, two = Site(0), Site(1)
    for _ in range(before):
        two.hear(one.write(FIELD.increment(7)))
    two.write(FIELD.remove())
    one.write(FIELD.increment(amount))

    _exchange(one, two)

    # One of sixteen additions folds: its fifteen predecessors come back with it.
    folds = before % FOLDED == FOLDED - 1
    back = 7 * (FOLDED - 1) if folds else 0
    assert _count(one) == _count(two) == amount + back


def test_what_folding_brings_back_is_little_on_average():
    brought_back, trials = 0, 272
    one, two = Site(0), Site(1)
    for number in range(trials):
        delta = one.write(FIELD.increment())
        remover, adder = Site(2), Site(3)
        remover.hear(two.facts.as_delta())
        adder.hear(one.facts.as_delta())
        adder.hear(remover.write(FIELD.remove()))
        brought_back += _count(adder) - 1
        two.hear(delta)
        assert _count(two) == number + 1

    # A tally for each actor would bring back 136 on average.
    assert brought_back / trials < 3


def test_a_removal_by_who_saw_everything_leaves_nothing():
    one, two = Site(0), Site(1)
    for _ in range(20):
        two.hear(one.write(FIELD.increment()))
    one.hear(two.write(FIELD.increment()))

    two.hear(one.write(FIELD.remove()))

    assert not one.view()
    assert not two.view()
    assert not len(two.facts)


def test_removing_the_map_around_it_takes_what_was_seen_and_spares_the_rest():
    around = MapField().map_field("m")
    one, two = Site(0), Site(1)
    two.hear(one.write(around.counter("c").increment(5)))
    two.write(around.remove())
    one.write(around.counter("c").increment(2))

    _exchange(one, two)

    assert one.view().map("m").counter("c") == two.view().map("m").counter("c") == 2


@pytest.mark.parametrize("amount", [True, 1.0, 1 << 63, "1", None])
def test_an_amount_that_is_no_integer_is_refused_and_changes_nothing(amount):
    site = Site(0)
    with pytest.raises(UsageError):
        site.write(FIELD.increment(amount))

    assert not site.view()


def test_sums_beyond_64_bits_are_counted_and_not_folded():
    site = Site(0)
    for _ in range(40):
        site.write(FIELD.increment((1 << 63) - 1))

    assert _count(site) == 40 * ((1 << 63) - 1)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x92\xc3\x00", b"\x91\x01"])
def test_a_payload_that_is_none_is_refused(payload):
    with pytest.raises(MalformedDatagram):
        read_amount_untrusted(payload)
