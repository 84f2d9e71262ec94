"""A cut is the state of one moment, whatever becomes of the table while it is taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import Actor, CausalContext, Delta, Dot, Fact, FactSet, MapField
from lashup.crdt.field import pack_key
from tests.strategies import SITES, histories, updates

STEP = (b"\x92\x01\xa1r",)


def _read(cut):
    """What a cut holds, as a delta."""
    facts = {
        Dot(actor, counter): fact
        for actor, _ in cut.context.items()
        for counter, fact in cut.live(actor).items()
    }
    return Delta(facts, cut.context)


@given(
    histories(),
    st.lists(
        st.integers(1, 4)  # take so much
        | st.integers(-SITES, -1)  # hear somebody
        | updates,
        max_size=12,
    ),
)
def test_a_cut_is_the_state_of_the_moment_at_which_it_began(history, steps):
    site, *_ = history.sites
    site.hear(*history.deltas[::2])
    expected = site.facts.as_delta()

    with site.facts.cut() as cut:
        for step in steps:
            match step:
                case int() if step > 0:
                    cut.take(step)
                case int():
                    site.hear(history.sites[step].facts.as_delta())
                case _:
                    site.write(*step)
        cut.take_all()
    site.write(MapField().remove(), MapField().register("a").assign("later"))
    site.hear(*history.deltas)

    assert _read(cut) == expected


def test_two_cuts_at_once_are_each_of_their_own_moment():
    history = [_fact(actor, 1) for actor in range(1, 4)]
    facts = FactSet()
    with facts.cut() as none:
        facts.join(history[0])
        with facts.cut() as one:
            for delta in history[1:]:
                facts.join(delta)
            facts.join(Delta({}, facts.context.copy()))
            none.take_all()
            one.take_all()

    assert _read(none) == Delta()
    assert _read(one) == history[0]
    assert not len(facts)


def test_a_cut_takes_little_at_a_time_and_all_in_the_end():
    facts = FactSet()
    for actor in range(1, 101):
        for counter in range(1, 11):
            facts.join(_fact(actor, counter))
    takes, before = 0, 0

    with facts.cut() as cut:
        is_whole = False
        while not is_whole:
            is_whole = cut.take(50)
            takes += 1
            taken = len(cut._leaves)
            assert taken - before <= 50
            before = taken

    assert taken == 1_000
    assert takes >= 20


def test_a_table_forgets_its_cuts():
    facts = FactSet()
    facts.join(_fact(1, 1))

    with facts.cut() as cut:
        pass
    facts.join(Delta({}, facts.context.copy()))

    assert not cut._removed
    assert not facts._cuts


def _fact(actor, counter):
    dot = Dot(Actor(bytes([actor]) * 8), counter)
    return Delta({dot: Fact(pack_key(("k",)), STEP, b"x")}, CausalContext([dot]))
