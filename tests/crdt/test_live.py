"""The live facts of a table against a plain dictionary, as they grow and shrink."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import Actor, Dot, Fact
from lashup.crdt.causal_context import holds
from lashup.crdt.live import FactsOf, Live
from tests.strategies import actors, runs

#: Few actors and counters, so that one, two and none are met all the time.
SITES = [Actor(bytes([n]) * 8) for n in range(3)]
toggles = st.lists(
    st.builds(Dot, st.sampled_from(SITES), st.integers(1, 4)), max_size=40
)


def _fact(number: int) -> Fact:
    return Fact(b"key", (b"step",), b"%d" % number)


def _toggled(dots: list[Dot]) -> tuple[Live, dict[Dot, Fact]]:
    """Each dot comes where it is not there, and goes where it is."""
    live = Live()
    model: dict[Dot, Fact] = {}
    for number, named in enumerate(dots):
        dot = Dot(Actor(bytes([*named.actor])), named.counter)  # a copy of its own
        if dot in model:
            del model[dot]
            live.remove(live.of(dot.actor)[dot.counter])
        else:
            model[dot] = _fact(number)
            leaf = live.put(dot, model[dot])
            assert (leaf.dot, leaf.fact) == (dot, model[dot])
    return live, model


@given(toggles)
def test_one_fact_of_an_actor_and_many_are_held_alike(dots):
    live, model = _toggled(dots)

    assert len(live) == len(model)
    assert {leaf.dot: leaf.fact for leaf in live} == model
    for actor in SITES:
        expected = {dot.counter: f for dot, f in model.items() if dot.actor == actor}
        facts = FactsOf(live.of(actor))
        assert dict(facts) == expected
        assert list(facts) == list(expected)  # in order of arrival
        assert len(facts) == len(live.leaves(actor)) == len(expected)
        assert [leaf.counter for leaf in live.leaves(actor)] == list(expected)
        assert all((c in facts) == (c in expected) for c in range(6))


@given(toggles, actors, runs())
def test_those_within_some_runs_are_found(dots, actor, some):
    live, model = _toggled(dots)

    found = [leaf.dot for leaf in live.within(actor, some)]

    assert len(found) == len(set(found))
    assert set(found) == {
        dot for dot in model if dot.actor == actor and holds(some, dot.counter)
    }


@given(toggles)
def test_all_facts_of_an_actor_share_one_object_for_it(dots):
    live, _ = _toggled(dots)

    for actor in SITES:
        assert len({id(leaf.actor) for leaf in live.leaves(actor)}) <= 1


def test_what_has_shrunk_to_one_fact_takes_no_dictionary():
    live = Live()
    leaves = [live.put(Dot(SITES[0], n), _fact(n)) for n in (1, 2, 3)]

    live.remove(leaves[0])
    live.remove(leaves[2])

    assert live._of == {SITES[0]: leaves[1]}
