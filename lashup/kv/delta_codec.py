"""Deltas, facts and contexts as bytes: on the wire and on disk.

A delta on the wire is [keys, parts]. A key stands once, however many facts are below
it. Each part is [actor, facts, runs]: a fact is [counter, index of its key, path,
payload]; runs are the counters in the context besides those of the facts, flat:
[first, last, first, last, ...].
"""

from __future__ import annotations

from itertools import pairwise

from lashup.crdt.branch import Leaf
from lashup.crdt.causal_context import CausalContext, Runs, union, without
from lashup.crdt.dot import ACTOR_SIZE, COUNTER_LIMIT, Actor, Dot
from lashup.crdt.fact import Fact, Path
from lashup.crdt.facts import Delta
from lashup.crdt.field import (
    LONGEST_SHARED,
    shared,
    step_untrusted,
    unpack_key_untrusted,
)
from lashup.errors import MalformedDatagram
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

#: Steps of a path, and bytes of a fact, that are taken from others. What came in must
#: be fit to go out again; limits on local writes are lower (`limits`).
DEEPEST_PATH = 64
LARGEST_FACT = 1 << 18


def encode_delta(delta: Delta) -> bytes:
    """A delta as bytes."""
    keys: dict[bytes, int] = {}
    parts: dict[Actor, list[tuple[int, int, Path, bytes]]] = {}
    for dot, fact in sorted(delta.facts.items(), key=_dot_of):
        index = keys.setdefault(fact.key, len(keys))
        facts = parts.setdefault(dot.actor, [])
        facts.append((dot.counter, index, fact.path, fact.payload))
    packed = []
    for actor, runs in delta.context.items():
        facts = parts.get(actor, [])
        # The context beyond the dots that are sent as facts anyway.
        besides = without(runs, (counter for counter, *_ in facts))
        packed.append((actor, facts, flat_runs(besides)))
    return pack([list(keys), packed])


def decode_delta_untrusted(data: bytes) -> Delta:
    """The delta in some bytes.

    Raises:
        MalformedDatagram: There is none.
    """
    packed_keys, parts = fields_untrusted(unpack_untrusted(data), 2)[:2]
    keys = [_key_untrusted(key) for key in fields_untrusted(packed_keys, 0)]
    facts: dict[Dot, Fact] = {}
    context = CausalContext()
    for part in fields_untrusted(parts, 0):
        packed_actor, packed_facts, packed_runs = fields_untrusted(part, 3)[:3]
        actor = actor_untrusted(packed_actor)
        counters: list[tuple[int, int]] = []
        for fields in fields_untrusted(packed_facts, 0):
            counter, index, path, payload = fields_untrusted(fields, 4)[:4]
            dot = Dot(actor, counter_untrusted(counter))
            key = keys[natural_untrusted(index, below=len(keys))]
            facts[dot] = _fact_untrusted(key, path, payload)
            counters.append((dot.counter, dot.counter))
        # All at once: one after the other would cost the square of their number.
        context.add_runs(actor, union(tuple(counters), runs_untrusted(packed_runs)))
    return Delta(facts, context)


def encode_fact(fact: Fact | Leaf) -> bytes:
    """A fact as it lies on disk, under its dot; also what its hash is taken of."""
    return pack([fact.key, fact.path, fact.payload])


def decode_fact_untrusted(data: bytes) -> Fact:
    """The fact in some bytes.

    Raises:
        MalformedDatagram: There is none.
    """
    key, path, payload = fields_untrusted(unpack_untrusted(data), 3)[:3]
    return _fact_untrusted(_key_untrusted(key), path, payload)


def encode_dot(dot: Dot) -> bytes:
    """A dot as a key on disk."""
    return dot.actor + dot.counter.to_bytes(8, "big")


def decode_dot_untrusted(data: bytes) -> Dot:
    """The dot in some bytes.

    Raises:
        MalformedDatagram: There is none.
    """
    packed = bytes_untrusted(data, ACTOR_SIZE + 8)
    counter = int.from_bytes(packed[ACTOR_SIZE:], "big")
    return Dot(Actor(packed[:ACTOR_SIZE]), counter_untrusted(counter))


def encode_runs(runs: Runs) -> bytes:
    """An actor's part of a context, as it lies on disk and as its hash is taken of."""
    return pack(flat_runs(runs))


def decode_runs_untrusted(data: bytes) -> Runs:
    """The runs in some bytes.

    Raises:
        MalformedDatagram: There are none, or they overlap or are out of order.
    """
    return runs_untrusted(unpack_untrusted(data))


def runs_untrusted(value: object) -> Runs:
    """Runs in the flat form, in their one canonical form.

    Raises:
        MalformedDatagram: They overlap, are out of order or incomplete.
    """
    bounds = [counter_untrusted(bound) for bound in fields_untrusted(value, 0)]
    if len(bounds) % 2:
        raise MalformedDatagram("runs: a first without a last")
    runs = tuple(zip(bounds[::2], bounds[1::2], strict=True))
    if any(first > last for first, last in runs) or any(
        after[0] <= before[1] + 1 for before, after in pairwise(runs)
    ):
        raise MalformedDatagram("runs: out of order")
    return runs


def actor_untrusted(value: object) -> Actor:
    """An actor.

    Raises:
        MalformedDatagram: It is none.
    """
    return Actor(bytes_untrusted(value, ACTOR_SIZE))


def counter_untrusted(value: object) -> int:
    """A dot's counter.

    Raises:
        MalformedDatagram: It is none.
    """
    counter = natural_untrusted(value, below=COUNTER_LIMIT)
    if counter == 0:
        raise MalformedDatagram("counters start at 1")
    return counter


def flat_runs(runs: Runs) -> list[int]:
    """Runs in the flat form: first, last, first, last, ..."""
    return [bound for run in runs for bound in run]


def _dot_of(entry: tuple[Dot, Fact]) -> Dot:
    return entry[0]


def _key_untrusted(value: object) -> bytes:
    key = bytes_untrusted(value, None)
    unpack_key_untrusted(key)
    return shared(key) if len(key) <= LONGEST_SHARED else key


def _fact_untrusted(key: bytes, path: object, payload: object) -> Fact:
    packed = fields_untrusted(path, 1)
    if len(packed) > DEEPEST_PATH:
        raise MalformedDatagram(f"a path of {len(packed)} steps")
    steps = tuple(step_untrusted(bytes_untrusted(step, None)) for step in packed)
    fact = Fact(key, steps, bytes_untrusted(payload, None))
    size = len(key) + sum(map(len, steps)) + len(fact.payload)
    if size > LARGEST_FACT:
        raise MalformedDatagram(f"a fact of {size} bytes")
    return fact
