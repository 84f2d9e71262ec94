"""The one join, its laws, and what follows from them for those who use it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import CausalContext, Delta, Dot, Fact, FactSet
from lashup.crdt.branch import EMPTY
from lashup.crdt.field import pack_key
from tests.strategies import histories, reachable_deltas, updates
from tests.vocabulary import KEY, all_dots, dots_in, facts_in, joined


@given(reachable_deltas(count=2))
def test_join_is_commutative(deltas):
    one, two = deltas

    assert joined(one, two) == joined(two, one)


@given(reachable_deltas(count=3))
def test_join_is_associative(deltas):
    one, two, three = deltas

    left = joined(joined(one, two).as_delta(), three)
    right = joined(one, joined(two, three).as_delta())

    assert left == right


@given(reachable_deltas(count=2))
def test_join_is_idempotent(deltas):
    one, two = deltas
    facts = joined(one, two)

    again = facts.join(two)

    assert facts == joined(one, two)
    assert (again.added, again.removed, again.actors) == ((), (), ())
    assert not again.before


@given(reachable_deltas(count=6), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_ends_alike(deltas, rng):
    shuffled = [*deltas, rng.choice(deltas)]
    rng.shuffle(shuffled)

    assert joined(*shuffled) == joined(*deltas)


@given(histories(), st.integers(0, 2), updates)
def test_delta_then_join_equals_operate(history, number, operations):
    site = history.sites[number]

    delta, operated = site.operate(*operations)
    site.facts.join(delta)

    assert facts_in(site.facts.branch(pack_key(KEY))) == facts_in(operated)


@given(histories(), st.integers(0, 2), updates)
def test_a_delta_does_at_the_writer_what_the_whole_state_does_elsewhere(
    history, number, operations
):
    site = history.sites[number]
    before = site.facts.as_delta()

    delta = site.write(*operations)

    assert joined(before, delta) == joined(site.facts.as_delta()) == site.facts


@given(histories())
def test_all_who_heard_everything_are_equal(history):
    for site in history.sites:
        site.hear(*history.deltas)

    first, *others = history.sites
    assert all(site.facts == first.facts for site in others)
    assert all(site.view() == first.view() for site in others)
    assert all(site.view().plain() == first.view().plain() for site in others)


@given(histories(), st.data())
def test_joined_says_what_has_changed_and_nothing_else(history, data):
    site = history.sites[0]
    delta = data.draw(st.sampled_from([*history.deltas, Delta()]))
    facts, context = dict(iter(site.facts)), site.facts.context.copy()
    values = {key: site.facts.branch(key) for key in site.facts.keys()}  # noqa: SIM118

    changed = site.facts.join(delta)

    now = dict(iter(site.facts))
    assert dict(changed.added) == {d: f for d, f in now.items() if d not in facts}
    assert dict(changed.removed) == {d: f for d, f in facts.items() if d not in now}
    differing = {
        actor
        for actor, runs in site.facts.context.items()
        if runs != context.runs(actor)
    }
    moved = dots_in((*changed.added, *changed.removed))
    assert set(changed.actors) == differing | {dot.actor for dot in moved}
    assert len(set(changed.actors)) == len(changed.actors)
    for key, old in changed.before.items():
        assert old is values.get(key, EMPTY)
    assert changed.before.keys() == {
        fact.key for _, fact in (*changed.added, *changed.removed)
    }


@given(histories())
def test_the_tree_holds_just_the_live_facts(history):
    for site in history.sites:
        for key in {fact.key for _, fact in site.facts} | set(site.facts.keys()):
            assert facts_in(site.facts.branch(key)) == {
                (fact.path, dot, fact.payload)
                for dot, fact in site.facts
                if fact.key == key
            }
        assert len(site.facts) == len(dict(iter(site.facts)))
        assert all(site.facts.branch(key) for key in site.facts.keys())  # noqa: SIM118


@given(histories())
def test_a_context_covers_only_what_is_live_or_was_removed_by_somebody(history):
    removed = {
        dot
        for delta in history.writes
        for dot in all_dots(delta.context)
        if dot not in delta.facts
    }

    for site in history.sites:
        live = dict(iter(site.facts))
        assert all(
            dot in live or dot in removed for dot in all_dots(site.facts.context)
        )
        assert all(dot in site.facts.context for dot in live)


@given(histories())
def test_no_removed_fact_returns(history):
    witness = FactSet()
    gone: set[Dot] = set()
    for delta in [*history.deltas, *reversed(history.deltas)]:
        changed = witness.join(delta)

        assert not gone & dots_in(changed.added)
        gone |= dots_in(changed.removed)


@given(histories())
@settings(max_examples=50)
def test_a_saved_state_is_the_same_state(history):
    saved = history.sites[0].facts
    fresh = FactSet()

    fresh.restore(list(saved), saved.context.copy())

    assert fresh == saved
    assert all(
        facts_in(fresh.branch(key)) == facts_in(saved.branch(key))
        for key in saved.keys()  # noqa: SIM118
    )


def test_old_values_stay_as_they_were():
    facts = FactSet()
    dots = [Dot(b"a" * 8, n) for n in range(1, 200)]  # type: ignore[arg-type]
    held = []
    for dot in dots:
        fact = Fact(b"key", (b"%d" % dot.counter,), b"")
        facts.join(Delta({dot: fact}, CausalContext([dot])))
        held.append(facts.branch(b"key"))

    facts.join(Delta({}, CausalContext(dots)))

    assert [len(branch) for branch in held] == list(range(1, 200))
    assert not facts.branch(b"key")
