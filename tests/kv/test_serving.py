"""Answers in parts that each stand alone, fit a datagram, and come to an end."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import Actor, CausalContext, Delta, Dot, Fact, FactSet
from lashup.crdt.causal_context import difference, holds
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.kv.messages import Part, encode
from lashup.kv.serving import BURST, EVERYTHING, Served, Want, serve
from tests.strategies import History, histories, runs
from tests.vocabulary import all_dots

KEYS = [pack_key((name,)) for name in ("a", "b", "c" * 40)]
AUTHOR = Actor(b"author!!")


def _fact(payload: bytes, number: int = 0) -> Fact:
    step = pack_step(number, Type.REGISTER)
    return Fact(KEYS[number % len(KEYS)], (step,), payload)


@st.composite
def one_actor(draw: st.DrawFn, *, longest: int = 60) -> FactSet:
    """What somebody knows of one actor: live, dead, and holes."""
    seen = draw(runs(greatest=60))
    dots = sorted(all_dots(_context(seen)))
    live = {d: _fact(bytes(draw(st.integers(0, longest))), d.counter) for d in dots}
    for dot in draw(st.sets(st.sampled_from(dots))) if dots else ():
        del live[dot]
    facts = FactSet()
    facts.join(Delta(live, _context(seen)))
    return facts


def _context(some):
    context = CausalContext()
    context.add_runs(AUTHOR, some)
    return context


def _size(part: Served) -> int:
    message = Part((1 << 32) - 1, BURST - 1, BURST, part.delta, part.dealt)
    return len(encode(message))


def _ask_to_the_end(asker: FactSet, server: FactSet, *, size: int, lost=frozenset()):
    """Ask until everything has been dealt with; some parts are lost, by number."""
    number, rounds, parts = 0, 0, []
    todo = {actor: EVERYTHING for actor, _ in server.context.items()}
    while todo:
        rounds += 1
        assert rounds < 500
        wants = [Want(a, asker.context.runs(a), left) for a, left in todo.items()]
        for part in serve(server, wants, size=size):
            number += 1
            if number in lost:
                continue
            parts.append(part)
            asker.join(part.delta)
            for actor, dealt in part.dealt:
                left = difference(todo.get(actor, ()), dealt)
                todo[actor] = left
                if not left:
                    del todo[actor]
    return parts


@given(histories(), st.integers(100, 400), st.sets(st.integers(1, 60)))
@settings(max_examples=80)
def test_the_asker_becomes_what_a_join_of_both_would_be(history: History, size, lost):
    asker, server, _ = (site.facts for site in history.sites)
    expected = FactSet()
    expected.join(asker.as_delta())
    expected.join(server.as_delta())

    _ask_to_the_end(asker, server, size=size, lost=lost)

    assert asker == expected


@given(one_actor(), runs(greatest=60), st.integers(100, 500))
@settings(max_examples=100)
def test_a_part_says_only_what_is_so_and_all_that_it_calls_dealt_with(
    server, seen, size
):
    live = server.live(AUTHOR)
    known = all_dots(server.context)
    for part in serve(server, [Want(AUTHOR, seen, ((1, 80),))], size=size):
        assert all(fact == live[d.counter] for d, fact in part.delta.facts.items())
        said = all_dots(part.delta.context)
        assert said - part.delta.facts.keys() <= {
            dot for dot in known if dot.counter not in live
        }
        for _, stretches in part.dealt:
            dealt = all_dots(_context(stretches))
            unsaid = (dealt & known) - said
            assert all(d.counter in live and holds(seen, d.counter) for d in unsaid)


@given(one_actor(longest=90), st.integers(220, 600))
@settings(max_examples=100)
def test_parts_fit_their_size(server, size):
    for part in serve(server, [Want(AUTHOR, ())], size=size):
        assert _size(part) <= size


def test_a_fact_larger_than_the_size_goes_alone():
    live = {Dot(AUTHOR, n): _fact(bytes(2_000 if n == 3 else 5)) for n in range(1, 6)}
    server = FactSet()
    server.join(Delta(live, CausalContext(live)))

    parts = serve(server, [Want(AUTHOR, ())], size=500)

    assert [len(part.delta.facts) for part in parts] == [2, 1, 2]
    assert [_size(part) <= 500 for part in parts] == [True, False, True]


def test_facts_of_many_datagrams_count_as_many_in_a_burst():
    live = {Dot(AUTHOR, n): _fact(bytes(8_000)) for n in range(1, 16)}
    server = FactSet()
    server.join(Delta(live, CausalContext(live)))

    parts = serve(server, [Want(AUTHOR, ())], size=1_000)

    assert 2 <= len(parts) <= 3


def test_many_actors_with_nothing_to_say_fit_too():
    wants = [Want(Actor(b"%8d" % n), ()) for n in range(32)]

    parts = serve(FactSet(), wants, size=400)

    assert all(_size(part) <= 400 for part in parts)
    assert sum(len(part.dealt) for part in parts) == 32


def _alternating(count: int) -> FactSet:
    """Every second counter dead: as many dead runs as facts."""
    live = {Dot(AUTHOR, n): _fact(b"v", n) for n in range(1, 2 * count, 2)}
    server = FactSet()
    server.join(Delta(live, _context(((1, 2 * count),))))
    return server


def test_an_asker_that_has_seen_everything_comes_to_an_end_through_many_dead_runs():
    server = _alternating(3_000)
    asker = FactSet()
    asker.join(server.as_delta())

    parts = _ask_to_the_end(asker, server, size=1_200, lost=set(range(1, 200, 2)))

    assert asker == server
    assert len(parts) < 200


def test_a_burst_is_bounded_whatever_is_asked():
    server = _alternating(3_000)
    assert len(serve(server, [Want(AUTHOR, ())], size=1_200)) == BURST


def test_twenty_thousand_facts_of_one_actor_come_in_bounded_parts_and_linear_time():
    def seconds(count: int) -> float:
        server, asker = FactSet(), FactSet()
        live = {Dot(AUTHOR, n): _fact(b"value", n) for n in range(1, count + 1)}
        server.join(Delta(live, CausalContext([*live])))
        began = time.process_time()
        parts = _ask_to_the_end(asker, server, size=1_200)
        spent = time.process_time() - began
        assert asker == server
        assert all(_size(part) <= 1_200 for part in parts)
        return spent

    small, large = min(seconds(2_000), seconds(2_000)), seconds(20_000)

    assert large < 40 * small  # 10 when linear, 100 when quadratic
