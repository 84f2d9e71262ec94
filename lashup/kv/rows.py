"""The store on disk: facts under their dots, and each actor's part of the context.

Deletes of one `Rows` are carried out before its puts, and `Rows` reach the disk in
the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lashup.crdt.causal_context import CausalContext, Runs
from lashup.crdt.dot import ACTOR_SIZE, Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta
from lashup.errors import MalformedDatagram
from lashup.kv.delta_codec import (
    decode_dot_untrusted,
    decode_fact_untrusted,
    decode_runs_untrusted,
    encode_dot,
    encode_fact,
    encode_runs,
)

FACT_TABLE = "fact"
CONTEXT_TABLE = "context"
#: What a node knows of itself; others have rows in it too.
META_TABLE = "meta"


@dataclass(frozen=True, slots=True)
class Rows:
    """What to put on disk and to delete from it, together."""

    puts: tuple[tuple[str, bytes, bytes], ...] = ()
    deletes: tuple[tuple[str, bytes], ...] = ()


def fact_put(dot: Dot, fact: Fact) -> tuple[str, bytes, bytes]:
    """The row of a fact."""
    return FACT_TABLE, encode_dot(dot), encode_fact(fact)


def fact_delete(dot: Dot) -> tuple[str, bytes]:
    """That a fact's row goes."""
    return FACT_TABLE, encode_dot(dot)


def context_put(actor: Actor, runs: Runs) -> tuple[str, bytes, bytes]:
    """The row of an actor's part of the context."""
    return CONTEXT_TABLE, actor, encode_runs(runs)


def context_delete(actor: Actor) -> tuple[str, bytes]:
    """That the row of an actor's part of the context goes."""
    return CONTEXT_TABLE, actor


def state_untrusted(tables: Mapping[str, Mapping[bytes, bytes]]) -> Delta:
    """What some rows hold: the facts, and a context that has all their dots.

    Raises:
        MalformedDatagram: They are not what this version writes.
    """
    context = CausalContext()
    for actor, runs in tables.get(CONTEXT_TABLE, {}).items():
        if len(actor) != ACTOR_SIZE:
            raise MalformedDatagram("an actor of a wrong size")
        context.add_runs(Actor(actor), decode_runs_untrusted(runs))
    facts = {
        decode_dot_untrusted(dot): decode_fact_untrusted(fact)
        for dot, fact in tables.get(FACT_TABLE, {}).items()
    }
    for dot in facts:
        if dot not in context:
            context.add_run(dot.actor, dot.counter, dot.counter)
    return Delta(facts, context)
