"""Deltas that travel together say what they would have said one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import CausalContext, Delta
from lashup.crdt.delta_group import DeltaGroup, size_of
from lashup.crdt.facts import FactSet
from lashup.kv.delta_codec import encode_delta
from tests.strategies import reachable_deltas


def state(*deltas: Delta) -> FactSet:
    facts = FactSet()
    for delta in deltas:
        facts.join(delta)
    return facts


def grouped(deltas: list[Delta]) -> Delta:
    group = DeltaGroup()
    for delta in deltas:
        group.put(delta)
    return group.delta()


@given(reachable_deltas(count=5), reachable_deltas(count=2))
def test_joining_a_group_is_joining_its_deltas(deltas, before):
    assert state(*before, grouped(deltas)) == state(*before, *deltas)


@given(
    reachable_deltas(count=4).flatmap(
        lambda d: st.tuples(st.just(d), st.permutations(d))
    )
)
def test_a_group_is_the_same_in_any_order(both):
    deltas, shuffled = both

    assert state(grouped(deltas)) == state(grouped(shuffled))


@given(reachable_deltas(count=4))
def test_a_group_is_never_longer_on_the_wire_than_it_says(deltas):
    group = grouped(deltas)

    assert len(encode_delta(group)) <= size_of(group)


@given(reachable_deltas(count=6))
def test_the_size_of_a_group_is_that_of_what_it_amounts_to(deltas):
    group = DeltaGroup()
    for delta in deltas:
        group.put(delta)
        assert group.size == size_of(group.delta())


@given(reachable_deltas(count=3))
def test_its_deltas_are_as_they_were(deltas):
    before = [(dict(delta.facts), delta.context.copy()) for delta in deltas]

    grouped(deltas)

    assert [(dict(d.facts), d.context) for d in deltas] == before


def test_a_group_of_nothing_is_false_and_says_nothing():
    group = DeltaGroup()

    assert not group
    assert group.delta() == Delta({}, CausalContext())
