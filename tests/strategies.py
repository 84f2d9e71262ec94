"""Values for Hypothesis: names, places, operations, histories and what they leave.

The pools are small on purpose: bugs of replication need two replicas that touch the
same place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from lashup.crdt import Actor, Delta, Dot, Key, MapField, Name
from lashup.crdt.causal_context import CausalContext
from lashup.crdt.writer import Operation
from tests.vocabulary import Site

SITES = 3

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
)
#: What a register takes.
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.recursive(
    st.text(max_size=5)
    | st.binary(max_size=5)
    | st.integers(-(1 << 63), (1 << 64) - 1),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
keys: st.SearchStrategy[Key] = st.lists(names, min_size=1, max_size=3).map(tuple)

few_names: st.SearchStrategy[Name] = st.sampled_from(["a", "b", 1, b"x", ("t", 2)])
few_keys: st.SearchStrategy[Key] = st.sampled_from([("k",), ("k", "l"), (7,)])
few_values = st.integers(0, 5) | st.sampled_from([None, "v", [1, {"d": 2}]])

actors = st.sampled_from([Actor(bytes([n]) * 8) for n in range(4)])
any_actors = st.binary(min_size=8, max_size=8).map(Actor)
dots = st.builds(Dot, actors, st.integers(1, 12))


@st.composite
def runs(draw: st.DrawFn, *, greatest: int = 30) -> tuple[tuple[int, int], ...]:
    """Runs in canonical form."""
    counters = sorted(draw(st.sets(st.integers(1, greatest))))
    return CausalContext(Dot(Actor(bytes(8)), c) for c in counters).runs(
        Actor(bytes(8))
    )


@st.composite
def maps(draw: st.DrawFn) -> MapField:
    """A map, at most two maps below the key's own."""
    field = MapField()
    for name in draw(st.lists(few_names, max_size=2)):
        field = field.map_field(name)
    return field


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Any operation of any type, at a place that others are likely to hit too."""
    field = draw(maps())
    name = draw(few_names)
    elements = draw(st.lists(few_names, min_size=1, max_size=2))
    candidates: list[Callable[[], Operation]] = [
        lambda: field.register(name).assign(draw(few_values)),
        lambda: field.add_wins_set(name).add(*elements),
        lambda: field.add_wins_set(name).discard(*elements),
        lambda: field.multi_value_register(name).assign(draw(few_values)),
        lambda: field.counter(name).increment(draw(st.integers(-3, 20))),
        field.enable_wins_flag(name).enable,
        field.enable_wins_flag(name).disable,
        field.disable_wins_flag(name).enable,
        field.disable_wins_flag(name).disable,
        field.register(name).remove,
        field.add_wins_set(name).remove,
        field.multi_value_register(name).remove,
        field.counter(name).remove,
        field.map_field(name).remove,
        field.remove,
    ]
    # What writes comes more often than what takes away.
    weights = (0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 4, *range(5, len(candidates)))
    chosen: Operation = candidates[draw(st.sampled_from(weights))]()
    return chosen


updates = st.lists(operations(), min_size=1, max_size=4)


@dataclass
class History:
    """What some sites did.

    Attributes:
        writes: What they wrote.
        deltas: That, and whole states: everything that was on its way between them.
    """

    sites: list[Site]
    writes: list[Delta]
    deltas: list[Delta]


@st.composite
def histories(draw: st.DrawFn, *, steps: int = 12) -> History:
    """Sites that write, and hear some of what the others wrote in any order."""
    history = History([Site(number) for number in range(SITES)], [], [])
    for _ in range(draw(st.integers(1, steps))):
        site = history.sites[draw(st.integers(0, SITES - 1))]
        heard = draw(st.integers(-1, len(history.deltas) - 1))
        if heard < 0:
            wall = float(draw(st.integers(0, 3)))
            delta = site.write(*draw(updates), key=draw(few_keys), wall=wall)
            history.writes.append(delta)
            history.deltas.append(delta)
        else:
            site.hear(history.deltas[heard])
            if draw(st.integers(0, 3)) == 0:
                history.deltas.append(site.facts.as_delta())
    return history


@st.composite
def reachable_deltas(draw: st.DrawFn, *, count: int) -> list[Delta]:
    """Deltas and whole states of one history."""
    history = draw(histories())
    pool = history.deltas + [site.facts.as_delta() for site in history.sites]
    return [draw(st.sampled_from(pool)) for _ in range(count)]
