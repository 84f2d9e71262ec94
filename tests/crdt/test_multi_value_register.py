"""The multi-value register keeps what nobody has replaced knowingly."""

from __future__ import annotations

import pytest
from hypothesis import given

from lashup.crdt import CausalContext, Delta, Dot, Fact, MapField
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.errors import UsageError
from tests.strategies import histories, values
from tests.vocabulary import KEY, Site

FIELD = MapField().multi_value_register("r")


def _values(site: Site) -> tuple[object, ...]:
    return site.view().multi_value_register("r")


def _exchange(one: Site, two: Site) -> None:
    state = one.facts.as_delta()
    one.hear(two.facts.as_delta())
    two.hear(state)


@given(values)
def test_alone_it_reads_what_was_assigned_last(value):
    site = Site(0)
    site.write(FIELD.assign("before"))
    site.write(FIELD.assign(value))

    assert repr(_values(site)) == repr((value,))


def test_concurrent_assignments_are_both_kept_whatever_the_clocks_say():
    one, two = Site(0), Site(1)
    one.write(FIELD.assign("x"), wall=100.0)
    two.write(FIELD.assign("y"), wall=1.0)

    _exchange(one, two)

    assert _values(one) == _values(two) == ("x", "y")


def test_an_assignment_by_who_saw_both_settles_them():
    one, two = Site(0), Site(1)
    one.write(FIELD.assign("x"))
    two.write(FIELD.assign("y"))
    _exchange(one, two)

    two.hear(one.write(FIELD.assign("settled")))

    assert _values(one) == _values(two) == ("settled",)


def test_equal_values_of_two_writers_are_read_once():
    one, two = Site(0), Site(1)
    one.write(FIELD.assign("same"))
    two.write(FIELD.assign("same"))
    _exchange(one, two)

    assert _values(one) == ("same",)


def test_a_removal_spares_the_assignment_that_it_did_not_see():
    one, two = Site(0), Site(1)
    two.hear(one.write(FIELD.assign("seen")))
    one.write(FIELD.remove())
    two.write(FIELD.assign("unseen"))

    _exchange(one, two)

    assert _values(one) == _values(two) == ("unseen",)


def test_a_value_that_nobody_could_read_is_refused_and_changes_nothing():
    site = Site(0)

    with pytest.raises(UsageError):
        site.write(FIELD.assign({1, 2}))

    assert not site.view()


def test_a_payload_of_a_later_version_is_passed_over():
    site = Site(0)
    dot = Dot(site.actor, 1)
    path = (pack_step("r", Type.MULTI_VALUE_REGISTER),)
    fact = Fact(pack_key(KEY), path, b"\xc1")
    site.hear(Delta({dot: fact}, CausalContext([dot])))

    assert _values(site) == ()
    assert site.view().plain() == {}


@given(histories())
def test_replicas_that_heard_the_same_read_the_same_in_the_same_order(history):
    for site in history.sites:
        site.hear(*history.writes)
    for other in history.sites[1:]:
        assert repr(other.view().plain()) == repr(history.sites[0].view().plain())
