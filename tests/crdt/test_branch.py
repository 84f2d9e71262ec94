"""A branch against a plain set of (path, dot, payload)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import Dot, Fact
from lashup.crdt.branch import EMPTY, Branch, Leaf
from tests.strategies import actors
from tests.vocabulary import facts_in

paths = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=3).map(tuple)
entries = st.dictionaries(
    st.builds(Dot, actors, st.integers(1, 9)),
    st.tuples(paths, st.binary(max_size=2)),
    max_size=12,
)


def _leaf(path: tuple[bytes, ...], dot: Dot, payload: bytes) -> Leaf:
    return Leaf(dot, Fact(b"key", path, payload))


def _filled(model: dict[Dot, tuple[tuple[bytes, ...], bytes]]) -> Branch:
    branch = EMPTY
    for dot, (path, payload) in model.items():
        branch = branch.put(_leaf(path, dot, payload))
    return branch


@given(entries, st.data())
def test_it_holds_what_was_put_and_not_dropped(model, data):
    branch = _filled(model)
    dropped = data.draw(st.sets(st.sampled_from(list(model)))) if model else set()
    old = facts_in(branch)

    smaller = branch
    for dot in sorted(dropped):
        smaller = smaller.drop(model[dot][0], dot)

    assert facts_in(branch) == old == {(p, d, x) for d, (p, x) in model.items()}
    assert facts_in(smaller) == {e for e in old if e[1] not in dropped}
    assert bool(smaller) == (len(dropped) < len(model))
    assert sorted(smaller.places()) == sorted((p, d) for p, d, _ in facts_in(smaller))


@given(entries)
def test_no_empty_branch_stays_behind(model):
    def check(branch: Branch) -> None:
        for _, child in branch.children():
            assert child
            check(child)

    branch = _filled(model)
    for dot, (path, _) in list(model.items())[1:]:
        branch = branch.drop(path, dot)
        check(branch)


@given(entries, st.data())
def test_the_form_of_a_branch_depends_on_what_is_in_it_and_not_on_the_way_there(
    model, data
):
    def form(branch: Branch) -> object:
        below = [(step, form(child)) for step, child in branch.children()]
        return type(branch), set(branch.facts), below

    branch = _filled(model)
    gone = (
        data.draw(st.lists(st.sampled_from(list(model)), unique=True)) if model else []
    )
    for dot in sorted(gone):
        branch = branch.drop(model[dot][0], dot)
    left = data.draw(st.permutations([dot for dot in model if dot not in gone]))

    assert form(branch) == form(_filled({dot: model[dot] for dot in left}))


@given(entries)
def test_all_forms_answer_alike(model):
    def check(path: tuple[bytes, ...], branch: Branch) -> None:
        here = {d: x for d, (p, x) in model.items() if p == path}
        steps = {p[len(path)] for p, _ in model.values() if p[: len(path)] == path != p}
        assert dict(branch.facts) == here
        assert [leaf.dot for leaf in branch.leaves] == list(here)
        assert [step for step, _ in branch.children()] == sorted(steps)
        assert len(branch) == len(steps)
        assert branch.child(b"never there") is None
        for step, child in branch.children():
            assert branch.child(step) is child
            check((*path, step), child)

    check((), _filled(model))


@given(entries, paths)
def test_at_is_the_walk_down_child_by_child(model, path):
    root = _filled(model)
    branch: Branch | None = root
    for step in path:
        branch = branch.child(step) if branch else None

    assert root.at(path) is branch


@given(entries, entries)
def test_differing_names_the_steps_whose_branches_are_not_the_same(one, two):
    base = _filled(one)
    other = base
    for dot, (path, payload) in two.items():
        if dot not in one:
            other = other.put(_leaf(path, dot, payload))
    touched = {path[0] for dot, (path, _) in two.items() if dot not in one and path}

    assert set(base.differing(other)) == set(other.differing(base)) == touched


def test_dropping_where_nothing_is_says_so():
    with pytest.raises(KeyError):
        EMPTY.drop((b"a",), Dot(b"a" * 8, 1))  # type: ignore[arg-type]
