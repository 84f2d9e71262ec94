"""A causal context is a set of dots, whatever it looks like inside."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import Actor, CausalContext, Dot
from lashup.crdt.causal_context import (
    Runs,
    difference,
    holds,
    includes,
    union,
    within,
    without,
)
from tests.strategies import actors, dots, runs

dot_sets = st.sets(dots)


def _counters(some: Runs) -> set[int]:
    return {c for first, last in some for c in range(first, last + 1)}


def _dots(context: CausalContext) -> set[Dot]:
    return {
        Dot(actor, counter)
        for actor, some in context.items()
        for counter in _counters(some)
    }


def _is_canonical(some: Runs) -> bool:
    return all(first <= last for first, last in some) and all(
        before[1] + 1 < after[0] for before, after in pairwise(some)
    )


@given(dot_sets)
def test_it_holds_the_dots_that_were_put_in_and_no_others(model):
    context = CausalContext(model)

    assert _dots(context) == model
    assert all(
        (Dot(Actor(bytes([n]) * 8), c) in context)
        == (Dot(Actor(bytes([n]) * 8), c) in model)
        for n in range(5)
        for c in range(14)
    )


@given(st.lists(st.tuples(actors, st.integers(1, 20), st.integers(0, 6))), st.data())
def test_equal_sets_have_one_form_in_whatever_order_they_came(added, data):
    one, two = CausalContext(), CausalContext()
    for actor, first, more in added:
        one.add_run(actor, first, first + more)
    for actor, first, more in data.draw(st.permutations(added)):
        two.add_run(actor, first, first + more)

    assert one == two
    assert all(_is_canonical(some) and some for _, some in one.items())
    assert _dots(one) == {
        Dot(actor, c)
        for actor, first, more in added
        for c in range(first, first + more + 1)
    }


@given(dot_sets, dot_sets)
def test_update_is_the_union_of_sets(mine, theirs):
    context = CausalContext(mine)
    before = CausalContext(theirs)
    other = CausalContext(theirs)

    context.update(other)

    assert _dots(context) == mine | theirs
    assert context == CausalContext(mine | theirs)
    assert other == before


@given(dot_sets, dots)
def test_a_copy_goes_its_own_way(model, dot):
    context = CausalContext(model)

    context.copy().add_run(dot.actor, dot.counter, dot.counter)

    assert context == CausalContext(model)


@given(runs(), runs())
def test_runs_are_united_and_subtracted_like_sets(left, right):
    both, rest = union(left, right), difference(left, right)

    assert _counters(both) == _counters(left) | _counters(right)
    assert _counters(rest) == _counters(left) - _counters(right)
    assert _is_canonical(both)
    assert _is_canonical(rest)
    assert includes(left, right) == (_counters(right) <= _counters(left))


@given(runs(), st.integers(1, 31), st.integers(1, 31))
def test_a_part_of_some_runs_is_cut_like_a_set(some, first, last):
    assert _counters(within(some, first, last)) == {
        c for c in _counters(some) if first <= c <= last
    }


@given(runs(), st.sets(st.integers(1, 31)))
def test_single_counters_are_taken_out_like_from_a_set(some, counters):
    left = without(some, sorted(counters))

    assert _counters(left) == _counters(some) - counters
    assert _is_canonical(left)


@given(runs(), st.integers(0, 32))
def test_holding_is_being_in_the_set(some, counter):
    assert holds(some, counter) == (counter in _counters(some))


@given(dot_sets, actors)
def test_the_last_counter_is_the_greatest_or_none(model, actor):
    counters = [dot.counter for dot in model if dot.actor == actor]

    assert CausalContext(model).last(actor) == max(counters, default=0)
