"""Two values read the same just when no reader can tell them apart."""

from __future__ import annotations

import pytest
from hypothesis import given

from lashup.crdt import CausalContext, Delta, Dot, Fact, MapField, MapView
from lashup.crdt.branch import EMPTY
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.crdt.reading import reads_the_same
from tests.strategies import histories, values
from tests.vocabulary import KEY, Site

ROOT = MapField()


def _branch(site):
    return site.facts.branch(pack_key(KEY))


@given(histories())
def test_it_agrees_with_what_the_views_show(history):
    branches = [_branch(site) for site in history.sites] + [EMPTY]
    for one in branches:
        for two in branches:
            same = MapView(one) == MapView(two)
            assert reads_the_same(one, two) == same
            assert not same or MapView(one).plain() == MapView(two).plain()


@given(values, values)
def test_registers_read_the_same_when_value_and_type_are_equal(one, two):
    first, second = Site(0), Site(1)
    first.write(ROOT.register("r").assign(one), wall=1.0)
    second.write(ROOT.register("r").assign(two), wall=2.0)

    alike = repr(_sorted(one)) == repr(_sorted(two)) or (one == two == 0.0)
    assert not alike or reads_the_same(_branch(first), _branch(second))
    assert reads_the_same(_branch(first), _branch(first))
    if one != two and alike is False:
        assert not reads_the_same(_branch(first), _branch(second))


def _sorted(value):
    if isinstance(value, dict):
        return "map", sorted((repr(k), repr(_sorted(v))) for k, v in value.items())
    return [_sorted(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("one", "two"),
    [(1, True), (1, 1.0), (0, False), ([1], [True]), ({1: 2}, {True: 2})],
)
def test_what_only_python_calls_equal_is_a_change(one, two):
    site = Site(0)
    site.write(ROOT.register("r").assign(one))
    before = _branch(site)

    site.write(ROOT.register("r").assign(two))

    assert not reads_the_same(before, _branch(site))


@pytest.mark.parametrize("value", [float("nan"), {"a": 1, "b": [2]}])
def test_the_same_value_written_again_is_no_change(value):
    site = Site(0)
    site.write(ROOT.register("r").assign(value))
    before = _branch(site)
    again = dict(reversed(value.items())) if isinstance(value, dict) else value

    site.write(ROOT.register("r").assign(again))

    assert reads_the_same(before, _branch(site))


def test_an_element_added_again_is_no_change():
    site = Site(0)
    site.write(ROOT.add_wins_set("s").add("e"))
    before = _branch(site)

    site.write(ROOT.add_wins_set("s").add("e"))

    assert reads_the_same(before, _branch(site))


def test_a_type_of_a_later_version_is_no_change_but_its_map_is_there():
    def fact(*path: bytes) -> Delta:
        dot = Dot(b"a" * 8, len(path))  # type: ignore[arg-type]
        return Delta({dot: Fact(pack_key(KEY), path, b"?")}, CausalContext([dot]))

    site = Site(0)
    later = pack_step("x", 99)  # type: ignore[arg-type]
    site.hear(fact(later))
    assert reads_the_same(EMPTY, _branch(site))
    assert site.view().plain() == {}

    site.hear(fact(pack_step("m", Type.MAP), later))
    assert not reads_the_same(EMPTY, _branch(site))
    assert site.view().plain() == {"m": {}}


@given(histories())
def test_every_map_that_reads_otherwise_is_among_the_changed_ones(history):
    views = [MapView(_branch(site)) for site in history.sites] + [MapView(EMPTY)]
    for one in views:
        for two in views:
            changed = set(one.changed_maps(two))
            for name in {*one.maps(), *two.maps()} - changed:
                assert one.map(name) == two.map(name)


def test_only_maps_that_changed_are_named():
    site = Site(0)
    for name in ("a", "b", "c"):
        site.write(ROOT.map_field(name).register("r").assign(1))
    before = MapView(_branch(site))

    site.write(ROOT.map_field("b").register("r").assign(2))
    site.write(ROOT.register("r").assign(2))

    assert list(MapView(_branch(site)).changed_maps(before)) == ["b"]
