"""Registers, sets and maps: alone like Python's own, together as the tables say."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import MapField, Name
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.crdt.register import read_payload_untrusted
from lashup.crdt.writer import Operation
from lashup.errors import MalformedDatagram, UsageError
from tests.strategies import few_names, histories, names, values
from tests.vocabulary import KEY, Site, facts_in

ROOT = MapField()


def _two() -> tuple[Site, Site]:
    return Site(0), Site(1)


def _exchange(one: Site, two: Site) -> None:
    state = one.facts.as_delta()
    one.hear(two.facts.as_delta())
    two.hear(state)


# --- alone


@given(values)
def test_a_register_reads_what_was_assigned(value):
    site = Site(0)

    site.write(ROOT.register("r").assign(value))

    assert repr(site.view().register("r")) == repr(value)


@given(st.lists(st.tuples(st.booleans(), names)))
def test_a_set_alone_is_pythons_set(steps):
    model: set[Name] = set()
    site = Site(0)
    for is_added, element in steps:
        field = ROOT.add_wins_set("s")
        site.write(field.add(element) if is_added else field.discard(element))
        (model.add if is_added else model.discard)(element)

    assert site.view().add_wins_set("s") == model


@given(
    st.lists(st.tuples(st.lists(few_names, max_size=2), few_names, st.integers(0, 3)))
)
def test_maps_alone_are_nested_dictionaries(steps):
    model: Any = {}
    site = Site(0)
    for way, name, value in steps:
        field, place = ROOT, model
        for step in way:
            field, place = field.map_field(step), place.setdefault((step, "map"), {})
        if value:
            site.write(field.register(name).assign(value))
            place[name, "register"] = value
        else:
            site.write(field.map_field(name).remove())
            place.pop((name, "map"), None)

    assert _typed(site.view()) == _without_empty(model)


def _typed(view):
    registers = {(name, "register"): v for name, v in view.registers().items()}
    return registers | {(name, "map"): _typed(m) for name, m in view.maps().items()}


def _without_empty(model):
    inner = {
        place: _without_empty(v) if place[1] == "map" else v
        for place, v in model.items()
    }
    return {place: v for place, v in inner.items() if v != {} or place[1] != "map"}


@pytest.mark.parametrize(
    "value",
    [
        object(), {1, 2}, 1 << 64, {(1, 2): 3}, "\ud800", 1j,
        msgpack.ExtType(3, b"x"), msgpack.Timestamp(1),
    ],
)  # fmt: skip
def test_a_value_that_nobody_could_read_is_refused_and_changes_nothing(value):
    site = Site(0)

    with pytest.raises(UsageError):
        site.write(ROOT.register("r").assign(value))

    assert not site.view()


def test_a_value_too_deep_for_readers_is_refused():
    value: object = 1
    for _ in range(100):
        value = [value]

    with pytest.raises(UsageError):
        Site(0).write(ROOT.register("r").assign(value))


def test_one_name_may_have_a_field_of_each_type():
    site = Site(0)
    site.write(
        ROOT.register("x").assign(1),
        ROOT.add_wins_set("x").add("e"),
        ROOT.map_field("x").register("y").assign(2),
    )

    assert site.view().register("x") == 1
    assert site.view().add_wins_set("x") == {"e"}
    assert site.view().map("x").register("y") == 2
    assert site.view().plain() == {
        ("x", "register"): 1,
        ("x", "set"): ["e"],
        ("x", "map"): {"y": 2},
    }


def test_what_is_not_there_reads_as_its_default():
    view = Site(0).view()

    assert not view
    assert view.register("r", default=7) == 7
    assert view.stamped("r") is None
    assert view.add_wins_set("s") == frozenset()
    assert view.map("m") == view
    assert view.plain() == {}


def test_a_field_removed_twice_or_never_there_is_no_change():
    site = Site(0)
    site.write(ROOT.register("r").assign(1))
    site.write(ROOT.register("r").remove())

    delta = site.write(ROOT.register("r").remove(), ROOT.map_field("m").remove())

    assert not delta.facts
    assert not len(delta.context)


def test_removing_what_is_not_there_spares_the_rest_of_the_update():
    site = Site(0)

    site.write(
        ROOT.register("before").assign(1),
        ROOT.register("absent").remove(),
        ROOT.add_wins_set("s").discard("nobody"),
        ROOT.map_field("m").remove(),
        ROOT.register("after").assign(2),
    )

    assert site.view().plain() == {"before": 1, "after": 2}


# --- together


def test_of_two_concurrent_assignments_the_later_timestamp_wins():
    one, two = _two()
    one.write(ROOT.register("r").assign("late"), wall=20.0)
    two.write(ROOT.register("r").assign("early"), wall=10.0)

    _exchange(one, two)

    assert one.view().register("r") == two.view().register("r") == "late"


def test_of_two_assignments_with_one_timestamp_the_greater_dot_wins():
    one, two = _two()
    one.write(ROOT.register("r").assign("smaller actor"), wall=10.0)
    two.write(ROOT.register("r").assign("greater actor"), wall=10.0)

    _exchange(one, two)

    assert one.view().stamped("r") == two.view().stamped("r")
    assert one.view().register("r") == "greater actor"


def test_an_assignment_that_saw_the_other_wins_whatever_its_clock_says():
    one, two = _two()
    two.hear(one.write(ROOT.register("r").assign("before"), wall=1_000.0))

    one.hear(two.write(ROOT.register("r").assign("after"), wall=1.0))

    assert one.view().register("r") == two.view().register("r") == "after"


@given(histories())
def test_a_register_reads_the_greatest_timestamp_and_dot_of_its_live_facts(history):
    for site in history.sites:
        for name in site.view().registers():
            path = (pack_step(name, Type.REGISTER),)
            best = max(
                (*read_payload_untrusted(payload)[:1], dot, payload)
                for place, dot, payload in facts_in(site.facts.branch(pack_key(KEY)))
                if place == path
            )
            assert site.view().stamped(name) == read_payload_untrusted(best[2])


def test_an_addition_wins_over_a_removal_that_did_not_see_it():
    one, two = _two()
    two.hear(one.write(ROOT.add_wins_set("s").add("e", "f")))
    one.write(ROOT.add_wins_set("s").discard("e", "f"))
    two.write(ROOT.add_wins_set("s").add("e"))

    _exchange(one, two)

    assert one.view().add_wins_set("s") == two.view().add_wins_set("s") == {"e"}


@given(histories(), st.data())
def test_add_wins_over_any_concurrent_removal(history, data):
    adder, remover = history.sites[:2]
    field = ROOT.add_wins_set("s")
    removal = data.draw(
        st.sampled_from([field.discard("new"), field.remove(), ROOT.remove()])
    )
    added = adder.write(field.add("new"))
    removed = remover.write(removal)

    adder.hear(removed)
    remover.hear(added)

    assert "new" in adder.view().add_wins_set("s")
    assert "new" in remover.view().add_wins_set("s")


@given(histories(), st.data())
def test_removing_a_map_spares_an_update_that_it_did_not_see(history, data):
    updater, remover = history.sites[:2]
    removal = data.draw(st.sampled_from([ROOT.map_field("a").remove(), ROOT.remove()]))
    updated = updater.write(ROOT.map_field("a").register("new").assign(9), wall=9.0)
    remover.facts.context.copy()
    removed = remover.write(removal)
    seen = set(remover.view().map("a").registers())

    remover.hear(updated)
    updater.hear(removed)

    assert not seen
    assert remover.view().map("a").registers() == {"new": 9}
    assert updater.view().map("a").register("new") == 9


def test_several_operations_are_one_delta_and_build_on_each_other():
    site = Site(0)

    delta = site.write(
        ROOT.add_wins_set("s").add("a", "b"),
        ROOT.add_wins_set("s").discard("a"),
        ROOT.register("r").assign(1),
        ROOT.register("r").assign(2),
    )

    assert site.view().plain() == {"s": ["b"], "r": 2}
    assert len(delta.facts) == 2


def test_a_payload_of_a_later_version_is_passed_over():
    with pytest.raises(MalformedDatagram):
        read_payload_untrusted(b"\xc1")
    assert read_payload_untrusted(msgpack.packb([5, "v", "more"])) == (5, "v")


def test_the_values_of_a_random_history_are_the_same_at_all_who_heard_it():
    rng = random.Random(4)
    sites = [Site(n) for n in range(4)]
    deltas = []
    for n in range(400):
        site = rng.choice(sites)
        field = ROOT.map_field(rng.randrange(3))
        operations: list[Operation] = [
            field.register("r").assign(n),
            field.add_wins_set("s").add(rng.randrange(5)),
            field.add_wins_set("s").discard(rng.randrange(5)),
            field.remove(),
        ]
        deltas.append(site.write(rng.choice(operations), wall=rng.random()))
        for other in rng.sample(sites, 2):
            other.hear(rng.choice(deltas))
    for site in sites:
        rng.shuffle(deltas)
        site.hear(*deltas)

    assert all(site.view().plain() == sites[0].view().plain() for site in sites)
